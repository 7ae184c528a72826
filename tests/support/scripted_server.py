"""An OpenAI-compatible server on the loopback address that does what a test tells it to, faults included."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server does with a request.

    Attributes:
        content: of the answer's message.
        finish: its finish_reason.
        model: that it says to be; None for the one asked for.
        status: of HTTP.
        headers: more of them.
        body: instead of a chat completion.
        hang: seconds before it answers.
        cut: bytes at the end that are not sent, though Content-Length counts them.
        reset: break the connection off instead.
    """

    content: str = ""
    finish: str = "stop"
    model: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    hang: float = 0.0
    cut: int = 0
    reset: bool = False


def failure(status: int, message: str, **headers: str) -> Reply:
    """An error as such servers give it."""
    body = json.dumps({"error": {"message": message, "type": "scripted"}}).encode()
    return Reply(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class ScriptedServer:
    """A running server.

    Attributes:
        url: its base URL.
        script: request's JSON -> what to do.
        requests: the JSON of all requests, in the order in which they came.
        headers: those of each.
        times: when each came, in seconds.
        answered: the JSON of those whose answer was sent as a whole.
        most_at_once: the largest number of requests at a time.
    """

    script: Callable[[dict[str, Any]], Reply]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def scripted_server(script: Callable[[dict[str, Any]], Reply]) -> Iterator[ScriptedServer]:
    """Runs a server for the block."""
    state = ScriptedServer(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                state.requests.append(request)
                state.headers.append(dict(self.headers))
                state.times.append(time.monotonic())
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
            try:
                reply = state.script(request) if self.path == "/v1/chat/completions" else failure(404, self.path)
                state.over.wait(reply.hang)
            finally:
                with state.lock:
                    state.at_once -= 1
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            body = completion(request, reply) if reply.body is None else reply.body
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - reply.cut])
            self.close_connection = bool(reply.cut)
            if reply.status == 200 and not reply.cut:
                with state.lock:
                    state.answered.append(request)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            """A client that is gone is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()


def completion(request: dict[str, Any], reply: Reply) -> bytes:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": reply.content}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
    model = request["model"] if reply.model is None else reply.model
    return json.dumps({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}).encode()


def user_text(request: dict[str, Any]) -> str:
    """What the user's message says."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else next(part["text"] for part in content if part["type"] == "text")
