"""Runs the server until it is stopped."""

import ipaddress
import socket
import threading

import uvicorn

from negjax.errors import NegjaxError
from negjax.negation.table import NO_METHOD
from negjax.runtime.streams import announce
from negjax.search.searcher import Searcher
from negjax.search.serve.app import make_app, served_methods
from negjax.search.serve.protocol import BoundedProtocol

MAX_HEADER_BYTES = 16 << 10  # of a request, its address included
LEAST_TOKEN = 16  # characters


def serve(searcher: Searcher, method: str, host: str, port: int, token: str) -> None:
    """Serves an index.

    Args:
        searcher: the index with its model.
        method: the method that the page begins with.
        host: the address to listen on.
        port: the port; 0 for a free one.
        token: that requests must know; "" for none, on the loopback alone.

    Raises:
        NegjaxError: the host is no loopback address and there is no token, it is short, or the port is taken.
    """
    server, listener = make_server(searcher, method, host, port, token)
    searcher.warm_up([method, NO_METHOD])
    others = [name for name in served_methods(method) if name not in (method, NO_METHOD)]
    stopping = threading.Event()
    warming = threading.Thread(target=searcher.warm_up, args=[others, stopping])
    shown = f"[{host}]" if ":" in host else host
    query = "?token=TOKEN" if token else ""
    announce(f"open http://{shown}:{listener.getsockname()[1]}/{query} (Ctrl-C stops)")
    warming.start()  # the other methods, while people look at the page
    try:
        server.run(sockets=[listener])
    finally:
        stopping.set()
        warming.join()


def make_server(
    searcher: Searcher, method: str, host: str, port: int, token: str
) -> tuple[uvicorn.Server, socket.socket]:
    """The server, and the socket that it is to be run with; arguments and errors as for `serve`."""
    check_access(host, token)
    app = make_app(searcher, method, token)
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config), _listen(host, port)


def check_access(host: str, token: str) -> None:
    """Raises NegjaxError for a host that others reach without a token, and for a short token."""
    if token and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isalnum()):
        raise NegjaxError(
            f"--token: give {LEAST_TOKEN} or more letters and digits, as `openssl rand -hex 16` makes them"
        )
    if not token and not _is_loopback(host):
        raise NegjaxError(f"--host {host}: others would see your pictures; give a --token that they must know")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NegjaxError(f"cannot listen on {host}, port {port} ({reason}): give another --port") from error
