"""What the requests of a stage come to, before any is sent."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from negjax.datasets.synth.server.answer_cache import AnswerCache
from negjax.datasets.synth.server.prompts import PromptRequest
from negjax.datasets.synth.server.settings import ServerSettings


@dataclass(frozen=True)
class RequestPlan:
    """Requests of a stage.

    Attributes:
        total: all of them.
        new: those that the cache does not answer.
        tokens_in: of the new ones, about: see `PromptRequest.tokens`.
        tokens_out: of their answers, at most.
        is_bound: whether there may be fewer of them.
    """

    total: int = 0
    new: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    is_bound: bool = False

    def __add__(self, other: "RequestPlan") -> "RequestPlan":
        return RequestPlan(
            self.total + other.total,
            self.new + other.new,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
        )

    def scaled(self, factor: float) -> "RequestPlan":
        """The plan of so many times as many images."""
        return RequestPlan(
            round(self.total * factor),
            round(self.new * factor),
            round(self.tokens_in * factor),
            round(self.tokens_out * factor),
        )

    def describe(self, settings: ServerSettings) -> str:
        """A line for the user."""
        known, paid = self.total - self.new, price(settings, self.tokens_in, self.tokens_out)
        most = "at most " if self.is_bound else ""
        return (
            f"{most}{self.new:,} requests to {settings.model} at {settings.url}, and {known:,} in "
            f"the cache; about {self.tokens_in:,} tokens in and at most {self.tokens_out:,} out{paid}"
        )


def plan_requests(requests: Iterable[PromptRequest], settings: ServerSettings, cache: AnswerCache) -> RequestPlan:
    """Counts requests, equal ones once."""
    keyed = [(request.key(settings.model), request) for request in requests]
    new = {key: request for key, request in keyed if cache.get(key, 0) is None}
    return replace(count_requests(new.values()), total=len(keyed))


def count_requests(requests: Iterable[PromptRequest]) -> RequestPlan:
    """Counts requests, all of them as new."""
    listed = list(requests)
    tokens_in, tokens_out = sum(request.tokens() for request in listed), sum(r.prompt.max_tokens for r in listed)
    return RequestPlan(len(listed), len(listed), tokens_in, tokens_out)


def price(settings: ServerSettings, tokens_in: int, tokens_out: int) -> str:
    """What tokens cost, as the end of a line; "" where the prices are not known."""
    if settings.price_in is None or settings.price_out is None:
        return ""
    paid = (tokens_in * settings.price_in + tokens_out * settings.price_out) / 1e6
    return f", {paid:,.{2 if paid >= 1 else 4}f} in the prices' currency"
