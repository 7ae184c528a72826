"""Connections of bounded number and duration: a client that sends or reads slowly, or not at all, keeps none for ever.

uvicorn alone keeps a connection that never sends a whole request, and counts it among those that it may have.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 256  # more are answered with 503, and closed
REQUEST_SECONDS = 10.0  # from when a connection begins to wait for a request until its headers are there
ANSWER_SECONDS = 120.0  # from then until all of the answer is taken; searches of others may come before
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 9\r\nconnection: close\r\n\r\n"
    b"too busy\n"
)


class BoundedProtocol(H11Protocol):
    """A connection of uvicorn's that ends when a request, or the taking of an answer, lasts too long."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuses the connection if there are too many, else waits for a request."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.connections.discard(self)
            transport.write(_BUSY)
            transport.close()
        else:
            self._end_after(REQUEST_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Takes data; when they complete the headers of a request, the answer has its time from now on."""
        earlier = self.cycle
        super().data_received(data)
        if self.cycle is not earlier and not self.cycle.response_complete:
            self._end_after(ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        """Waits until the client has taken the answer, or for its next request."""
        super().on_response_complete()
        is_idle = self.cycle.response_complete and not self.transport.get_write_buffer_size()
        self._end_after(REQUEST_SECONDS if is_idle else ANSWER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _end_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Aborted, not closed: that would wait for a client that does not take what is sent.
        self._timer = self.loop.call_later(seconds, self.transport.abort)
