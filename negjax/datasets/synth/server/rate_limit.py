"""How often a server may be asked."""

import time
from collections.abc import Awaitable, Callable

import anyio


class RateLimit:
    """Starts of requests, so far apart that neither the requests nor the tokens of a minute are exceeded.

    Args:
        requests_per_minute: at most.
        tokens_per_minute: at most.
        clock: seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        requests_per_minute: float,
        tokens_per_minute: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ):
        self._request_seconds = 60 / requests_per_minute
        self._token_seconds = 60 / tokens_per_minute
        self._clock, self._sleep = clock, sleep
        self._free = clock()

    async def wait(self, tokens: int) -> None:
        """Waits until a request with about so many tokens, in and out, may start."""
        start = max(self._free, self._clock())
        self._free = start + max(self._request_seconds, tokens * self._token_seconds)
        if (seconds := start - self._clock()) > 0:
            await self._sleep(seconds)

    def correct(self, tokens: int) -> None:
        """Takes into account that a request had so many tokens more (or, below 0, fewer) than thought."""
        self._free += tokens * self._token_seconds

    def pause(self, seconds: float) -> None:
        """Starts no request for so long: the server is busy."""
        self._free = max(self._free, self._clock() + seconds)
