"""A server of an index in a thread, and plain requests to it."""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from negjax.search.request import DEFAULT_METHOD
from negjax.search.searcher import Searcher
from negjax.search.serve.run import make_server


@contextmanager
def running(searcher: Searcher, method: str = DEFAULT_METHOD, token: str = "") -> Iterator[int]:
    """Serves in the block, which gets the port."""
    server, listener = make_server(searcher, method, "127.0.0.1", 0, token)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def get(
    port: int, path: str, headers: Mapping[str, str] = {}, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers (names in lower case) and the content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def get_json(port: int, path: str) -> tuple[int, dict]:
    status, _, content = get(port, path)
    return status, json.loads(content)
