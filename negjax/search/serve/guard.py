"""Who may ask the server: pages that it served itself, and programs on this machine or with the token.

A page of another website can make a browser send requests here, and a website can give its own name this machine's
address (DNS rebinding). Both are refused by the headers in which browsers say who asks: Host, Origin, Sec-Fetch-Site.
"""

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")  # as a Host header has them
COOKIE = "negjax_token"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Answers requests that may not be made, and adds the headers of security to every answer."""

    def __init__(self, app: ASGIApp, token: str = ""):
        """Wraps an application. token: that must be known; "" where Host must be of the loopback instead."""
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["type"] != "http":
            return
        answer = self._refusal(scope, Headers(scope=scope))
        await (answer or self._app)(scope, receive, send_secured)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that may not be made; None for one that may."""
        host = headers.get("host", "")
        if not self._token and host.rpartition(":")[0] not in LOOPBACK_HOSTS and host not in LOOPBACK_HOSTS:
            return PlainTextResponse("this server answers to localhost alone", 403)
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return PlainTextResponse("requests from other websites are refused", 403)
        is_visit = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"  # by a link
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not is_visit:
            return PlainTextResponse("requests from other websites are refused", 403)
        return self._ask_token(scope, headers) if self._token else None

    def _ask_token(self, scope: Scope, headers: Headers) -> Response | None:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and self._is_token(given):
            answer = RedirectResponse("/", 303)  # so that the token leaves the address
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="lax")
            return answer
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._is_token(cookie.value if cookie else "") or self._is_token(bearer):
            return None
        return PlainTextResponse("open the page with its token, as /?token=TOKEN", 401)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())
