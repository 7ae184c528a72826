"""The request for a derived set: kind, seed and limits, from the flags of `negjax data derive`."""

from dataclasses import dataclass

from negjax.datasets.derive.kinds import DERIVED_KINDS, kinds_with_reuse
from negjax.errors import NegjaxError
from negjax.synthesis.mediums import Medium


@dataclass(frozen=True)
class DeriveRequest:
    """The kind of a derived set, its seed and its limits; None stands for the default of the kind.

    Attributes:
        kind: a key of DERIVED_KINDS.
        seed: seed of all random draws.
        groups: how many groups, questions, queries or pairs of images to make.
        reuse: the largest number of groups or questions that an image may be in, for kinds with such a limit.
        least: the smallest number of images that answer a query, and of images that only its exclusion rules out.
        medium: what the sentences are about.
    """

    kind: str
    seed: int = 0
    groups: int | None = None
    reuse: int | None = None
    least: int | None = None
    medium: Medium = "photo"

    @property
    def max_uses(self) -> int:
        """The largest number of groups or questions that an image may be in."""
        return self.reuse or DERIVED_KINDS[self.kind].reuse or 1


def check_request(request: DeriveRequest) -> None:
    """Check a request.

    Args:
        request: the request.

    Raises:
        NegjaxError: names the flag whose value makes no sense for the kind.
    """
    if request.kind not in DERIVED_KINDS:
        raise NegjaxError(f"unknown --kind '{request.kind}'; choose one of {', '.join(DERIVED_KINDS)}")
    if request.reuse is not None and DERIVED_KINDS[request.kind].reuse is None:
        raise NegjaxError(f"--reuse is for --kind {', '.join(kinds_with_reuse())}, not for {request.kind}")
    if request.least is not None and not DERIVED_KINDS[request.kind].has_least:
        raise NegjaxError(f"--least is for --kind queries, not for {request.kind}")
    for flag, value in (("groups", request.groups), ("reuse", request.reuse), ("least", request.least)):
        if value is not None and value < 1:
            raise NegjaxError(f"--{flag} {value}: give 1 or more")
    if request.medium != "photo" and request.kind == "affirmation":
        raise NegjaxError(f"--medium {request.medium}: --kind affirmation has sentences about images alone")
    if request.seed < 0:
        raise NegjaxError(f"--seed {request.seed}: give 0 or more")
