"""Answers of requests that run at a time, written together."""

import anyio
import anyio.to_thread

from negjax.datasets.synth.server.answer_cache import AnswerCache, KeptAnswer


class GroupedWrites:
    """Keeps the answers of several requests with one write, because each write waits for the disk."""

    def __init__(self, cache: AnswerCache):
        self._cache = cache
        self._waiting: list[tuple[KeptAnswer, anyio.Event]] = []
        self._is_writing = False

    async def put(self, kept: KeptAnswer) -> None:
        """Keeps an answer; it is on disk when this returns."""
        written = anyio.Event()
        self._waiting.append((kept, written))
        if self._is_writing:
            await written.wait()
            return
        self._is_writing = True
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await anyio.to_thread.run_sync(self._cache.put, [kept for kept, _ in group])
                for _, event in group:
                    event.set()
        finally:
            self._is_writing = False
