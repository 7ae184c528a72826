"""One chat completion of an OpenAI-compatible server over HTTP, asked again while the server is busy or unreachable."""

import email.utils
import time
from typing import Any

import anyio
import httpx2
import tenacity

from negjax.datasets.json_text import parse_json
from negjax.datasets.synth.server.answer_cache import ServerAnswer
from negjax.datasets.synth.server.rate_limit import RateLimit
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.errors import NegjaxError

MAX_RESPONSE_BYTES = 1 << 20
MAX_BACKOFF = 60.0  # seconds
MAX_RETRY_AFTER = 600.0  # seconds that a server may ask to wait
_SHOWN = 300  # characters of a server's message
_BUSY = {408, 409, 425, 429}  # and all from 500 on
_NEVER = {301, 302, 303, 307, 308, 401, 402, 403, 404, 405}  # no request would be answered: the key, URL or model
MOST_IN_A_ROW = 20  # requests without an answer
# Words by which servers name a part of the request that they do not take -> the part.
_PARTS = {
    "max_completion_tokens": "max_tokens",
    "response_format": "response_format",
    "json_schema": "response_format",
    "grammar": "response_format",
    "structured": "response_format",
    "temperature": "temperature",
    "seed": "seed",
}


class UnansweredError(Exception):
    """A request gets no answer. lasting: nor would it another time, because the server refuses it."""

    def __init__(self, reason: str, lasting: bool):
        super().__init__(reason)
        self.lasting = lasting


class _TransientError(Exception):
    """The server may answer later. retry_after: in seconds, as it says; 0 where it does not."""

    def __init__(self, reason: str, retry_after: float = 0.0):
        super().__init__(reason)
        self.retry_after = retry_after


class _RefusedError(Exception):
    """The server does not take a request. status: of HTTP."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


class ChatClient:
    """The connection to a server; an asynchronous context manager."""

    def __init__(self, settings: ServerSettings):
        """Raises NegjaxError if the key cannot be one."""
        self.settings = settings
        self._key = settings.read_key()
        headers = {"Accept-Encoding": "identity"}  # small answers, whose size is bounded as they are sent
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # No redirects, so that the key goes to no other server.
        self._http = httpx2.AsyncClient(
            headers=headers,
            timeout=settings.timeout,
            verify=settings.url.startswith("https"),  # loading certificates takes a while
            limits=httpx2.Limits(max_connections=settings.concurrency),
            follow_redirects=False,
        )
        self._limit = RateLimit(settings.requests_per_minute, settings.tokens_per_minute)
        self._left_out: set[str] = set()
        self._formats = ["json_schema", "json_object"]  # of structured output, the best that the server takes first
        self._answered = 0
        self._in_a_row = 0  # requests without an answer

    async def __aenter__(self) -> "ChatClient":
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def complete(self, request: dict[str, Any], schema: Any, tokens: int) -> ServerAnswer:
        """Gets an answer, waiting and asking again as often as the settings say.

        Args:
            request: messages, model, max_tokens, temperature, seed.
            schema: JSON schema that the answer should have, as far as the server can see to it.
            tokens: of the messages, about.

        Raises:
            UnansweredError: this request gets no answer, but others do.
            NegjaxError: the server answers nothing at all.
        """
        before = self._answered
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self.settings.tries),
            wait=self._seconds_to_wait,
            retry=tenacity.retry_if_exception_type(_TransientError),
            sleep=anyio.sleep,
            reraise=True,
        )
        try:
            answer: ServerAnswer = await retrying(self._complete_once, request, schema, tokens)
        except (_RefusedError, _TransientError) as error:
            self._in_a_row += 1
            never = isinstance(error, _RefusedError) and error.status in _NEVER
            works = not never and self._in_a_row < MOST_IN_A_ROW and (self._answered > before or await self._works())
            if works:
                raise UnansweredError(str(error), lasting=isinstance(error, _RefusedError)) from error
            again = "" if never else ": run the same command again to go on where it stopped"
            raise NegjaxError(f"{self.settings.url}: {error}{again}") from error
        self._in_a_row = 0
        return answer

    async def _works(self) -> bool:
        """Whether the server answers another request than the one that it did not answer."""
        question = {"model": self.settings.model, "messages": [{"role": "user", "content": "Say yes."}]}
        try:
            await self._post(question)
        except (_RefusedError, _TransientError):
            return False
        return True

    def _seconds_to_wait(self, state: tenacity.RetryCallState) -> float:
        """Back-off with jitter, and at least what the server asks for."""
        base = self.settings.backoff
        backoff = tenacity.wait_exponential(base, MAX_BACKOFF) + tenacity.wait_random(0, base)
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, _TransientError) or not error.retry_after:
            return backoff(state)
        self._limit.pause(error.retry_after)
        return max(backoff(state), error.retry_after)

    async def _complete_once(self, request: dict[str, Any], schema: Any, tokens: int) -> ServerAnswer:
        """One request; or several, while the server says which part of a request it does not know."""
        while True:
            body = self._body(request, schema)
            await self._limit.wait(tokens + request["max_tokens"])
            try:
                answer = _read_answer(await self._post(body))
            except _RefusedError as error:
                if not self._do_without(body, str(error).lower()):
                    raise
                continue
            self._answered += 1
            if answer.tokens_in:
                self._limit.correct(answer.tokens_in + answer.tokens_out - tokens - request["max_tokens"])
            return answer

    def _body(self, request: dict[str, Any], schema: Any) -> dict[str, Any]:
        body = {name: value for name, value in request.items() if name not in self._left_out}
        if "max_tokens" in self._left_out:  # newer models of OpenAI have another word for it
            body["max_completion_tokens"] = request["max_tokens"]
        if self._formats[:1] == ["json_schema"]:
            named = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif self._formats:
            body["response_format"] = {"type": "json_object", "schema": schema}
        return body

    def _do_without(self, body: dict[str, Any], message: str) -> bool:
        """Leaves out a part of the request that the message names; False if it names none that was sent."""
        part = next((part for word, part in _PARTS.items() if word in message and part in body), None)
        if part == "response_format":
            sent = body["response_format"]["type"]
            self._formats = [kind for kind in self._formats if kind != sent]
        elif part is not None:
            self._left_out.add(part)
        return part is not None

    async def _post(self, body: dict[str, Any]) -> bytes:
        """The body of a successful response."""
        url = f"{self.settings.url}/chat/completions"
        try:
            with anyio.fail_after(self.settings.timeout):
                async with self._http.stream("POST", url, json=body) as response:
                    content = b""
                    async for chunk in response.aiter_bytes():
                        content += chunk
                        if len(content) > MAX_RESPONSE_BYTES:
                            raise _TransientError(f"the response has more than {MAX_RESPONSE_BYTES:,} bytes")
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise _TransientError(f"no answer within {self.settings.timeout:g} s") from error
        except httpx2.TransportError as error:
            reason = self._shown(str(error)) or type(error).__name__
            raise _TransientError(f"the connection failed ({reason})") from error
        except httpx2.DecodingError as error:
            raise _TransientError("the response is compressed, and damaged") from error
        if response.is_success:
            return content
        reason = f"HTTP {response.status_code}, {self._shown(_error_message(content))}"
        if response.status_code in _BUSY or response.status_code >= 500:
            raise _TransientError(reason, _retry_after(response.headers))
        if response.is_redirect:
            reason += f"; it redirects to {self._shown(response.headers.get('location', ''))}"
        if response.status_code == 404:
            reason += "; check the base URL, which usually ends in /v1, and --server-model"
        raise _RefusedError(response.status_code, reason)

    def _shown(self, text: str) -> str:
        """A message of the server, bounded and without the key, which it may repeat."""
        if self._key:
            text = text.replace(self._key, "***")
        return " ".join(text.split())[:_SHOWN]


def _read_answer(content: bytes) -> ServerAnswer:
    """The first choice of a response; raises _TransientError if it has none."""
    try:
        response = parse_json(content)
        choice = response["choices"][0]
        text = choice["message"]["content"]
        usage = response.get("usage") or {}
        tokens = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        model = response.get("model")
        if not isinstance(text, str | None):
            raise TypeError("its content is no text")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _TransientError("the response is no chat completion") from error
    counts = [count if isinstance(count, int) and 0 <= count < 1 << 31 else 0 for count in tokens]
    finish = choice.get("finish_reason")
    return ServerAnswer(
        (text or "").encode("utf-8", "replace").decode(),
        finish[:_SHOWN] if isinstance(finish, str) else "stop",
        model[:_SHOWN] if isinstance(model, str) else "",
        *counts,
    )


def _error_message(content: bytes) -> str:
    """What an error response says: the message in its JSON, or the start of its text."""
    text = content[: 10 * _SHOWN].decode("utf-8", "replace")
    try:
        error = parse_json(content)
        error = error.get("error", error) if isinstance(error, dict) else error
        message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        return message if isinstance(message, str) else text
    except ValueError:
        return text


def _retry_after(headers: Any) -> float:
    """Seconds that the server asks to wait, 0 where it does not say.

    Raises:
        NegjaxError: it is longer than MAX_RETRY_AFTER.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return 0.0
    if seconds > MAX_RETRY_AFTER:
        raise NegjaxError(
            f"the server asks to wait {seconds:,.0f} s: run the same command again then, to go on where it stopped"
        )
    return seconds if seconds > 0 else 0.0
