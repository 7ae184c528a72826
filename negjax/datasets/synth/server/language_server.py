"""Answers to the requests of a stage: from the cache, or from the server, checked, and asked again where they are none.

The first try of a request has the prompt's temperature. An answer that cannot be used is asked again with a higher one
and another seed, and a longer one where it was cut off; all are kept, so that the same command gives the same rows.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.from_thread

from negjax.datasets.json_text import parse_json
from negjax.datasets.synth.server.answer_cache import AnswerCache, ServerAnswer
from negjax.datasets.synth.server.grouped_writes import GroupedWrites
from negjax.datasets.synth.server.http_client import ChatClient, UnansweredError
from negjax.datasets.synth.server.plan import price
from negjax.datasets.synth.server.prompts import PromptRequest
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.errors import NegjaxError
from negjax.runtime.printable import printable
from negjax.runtime.progress import no_progress

TRIES = 3  # answers to a request that are looked at
RETRY_TEMPERATURE = 0.7
REFUSED = "refused"
Value = TypeVar("Value")


@dataclass
class ServerTally:
    """What a server was asked, and what came of it.

    Attributes:
        requests: sent and answered.
        cached: answered by the cache.
        unusable: answers that were malformed, or cut off.
        failed: requests without an answer that can be used.
        first_failure: why the first of these has none.
        tokens_in: of all answered requests, as the server counted.
        tokens_out: of all answers.
        models: the models that say to have answered.
    """

    requests: int = 0
    cached: int = 0
    unusable: int = 0
    failed: int = 0
    first_failure: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    models: Counter[str] = field(default_factory=Counter)

    def describe(self, settings: ServerSettings, fallback: str) -> list[str]:
        """Lines for the user. fallback: what happens to what has no answer."""
        paid = price(settings, self.tokens_in, self.tokens_out)
        lines = [
            f"  {settings.model}: {self.requests:,} requests answered, {self.cached:,} by the cache; "
            f"{self.tokens_in:,} tokens in and {self.tokens_out:,} out{paid}"
        ]
        if other := [name for name in self.models if name not in ("", settings.model)]:
            lines.append(f"  answered by {', '.join(sorted(other))}, as the server says")
        if self.unusable:
            lines.append(f"  {self.unusable:,} answers were malformed or cut off")
        if self.failed:
            first = f"the first: {self.first_failure}"
            lines.append(f"  {self.failed:,} requests without a usable answer: {fallback}; {first}")
        return lines


class LanguageServer:
    """A server that is asked, with its cache; a context manager. Works in notebooks, too: it has a thread of its own.

    Args:
        settings: which server.
        cache: answers that are known.
        advance: is called with the number of requests just done.
    """

    def __init__(
        self, settings: ServerSettings, cache: AnswerCache, advance: Callable[[int], object] = no_progress
    ) -> None:
        self.settings = settings
        self.tally = ServerTally()
        self._cache, self._writes, self._advance = cache, GroupedWrites(cache), advance
        self._starting = anyio.from_thread.start_blocking_portal()
        self._portal: anyio.from_thread.BlockingPortal | None = None

    def __enter__(self) -> "LanguageServer":
        self._portal = self._starting.__enter__()
        self._client = self._portal.call(self._open)
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._portal is not None
        try:
            self._portal.call(self._client.__aexit__)
        finally:
            self._starting.__exit__(*error)

    async def _open(self) -> ChatClient:
        return await ChatClient(self.settings).__aenter__()

    def ask(self, requests: Sequence[PromptRequest], read: Callable[[PromptRequest, Any], Value]) -> list[Value | None]:
        """Gets the answers to requests, several at a time; equal requests are asked once.

        Args:
            requests: what is asked.
            read: makes a value of the JSON of an answer; raises ValueError if it is not what was asked for.

        Returns:
            The values in the order of the requests, None for a request without an answer that can be used.

        Raises:
            NegjaxError: the server cannot be asked.
        """
        assert self._portal is not None, "use the server in a with statement"
        return self._portal.call(self._ask_all, requests, read)

    async def _ask_all(
        self, requests: Sequence[PromptRequest], read: Callable[[PromptRequest, Any], Value]
    ) -> list[Value | None]:
        keys = [request.key(self.settings.model) for request in requests]
        first: dict[str, PromptRequest] = {}
        for key, request in zip(keys, requests):
            first.setdefault(key, request)
        values: dict[str, Value | None] = {}
        waiting = iter(first.items())
        errors: list[NegjaxError] = []

        async def work() -> None:
            for key, request in waiting:  # one iterator for all: each takes what is next
                try:
                    values[key] = await self._ask(key, request, read)
                except NegjaxError as error:
                    errors.append(error)
                    group.cancel_scope.cancel()
                self._advance(1)

        async with anyio.create_task_group() as group:
            for _ in range(min(self.settings.concurrency, len(first))):
                group.start_soon(work)
        if errors:
            raise errors[0]
        self._advance(len(keys) - len(first))
        return [values[key] for key in keys]

    async def _ask(self, key: str, request: PromptRequest, read: Callable[[PromptRequest, Any], Value]) -> Value | None:
        """The value of the first answer that can be used."""
        max_tokens, reason = request.prompt.max_tokens, ""
        for attempt in range(TRIES):
            answer = self._cache.get(key, attempt)
            if answer is None:
                try:
                    answer = await self._get(key, attempt, request, max_tokens)
                except UnansweredError as error:
                    reason = str(error)
                    break
            else:
                self.tally.cached += 1
            if answer.finish == REFUSED:
                reason = answer.content
                break
            try:
                return read(request, parse_json(_json_in(answer.content)))
            except ValueError as error:
                cut = answer.finish == "length"
                reason = f"the answer is cut off at {max_tokens} tokens" if cut else f"malformed answer ({error})"
                self.tally.unusable += 1
                max_tokens *= 2 if cut else 1
        self.tally.failed += 1
        self.tally.first_failure = self.tally.first_failure or printable(f"{request.name} {reason}".strip())
        return None

    async def _get(self, key: str, attempt: int, request: PromptRequest, max_tokens: int) -> ServerAnswer:
        """Asks the server, and keeps what it says; raises UnansweredError if it may say something another time."""
        try:
            messages = request.messages()
        except NegjaxError as error:  # its picture cannot be decoded
            raise UnansweredError(str(error), lasting=False) from error
        body = {
            "model": self.settings.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": max(request.prompt.temperature, RETRY_TEMPERATURE if attempt else 0.0),
            "seed": attempt,
        }
        try:
            answer = await self._client.complete(body, request.schema, request.tokens())
        except UnansweredError as error:
            if not error.lasting:
                raise
            answer = ServerAnswer(str(error), REFUSED)
        else:
            self.tally.requests += 1
            self.tally.tokens_in += answer.tokens_in
            self.tally.tokens_out += answer.tokens_out
            self.tally.models[answer.model] += 1
        await self._writes.put((key, attempt, answer))
        return answer


def _json_in(text: str) -> str:
    """The JSON object in an answer: models put it into fences, or think aloud before it."""
    text = text.rpartition("</think>")[2]
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("no JSON object")
    return text[start : end + 1]
