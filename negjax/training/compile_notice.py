"""Tells in the log that a step is about to be compiled, which takes up to minutes, and for what."""

import logging
from collections.abc import Mapping
from typing import Any

import jax

from negjax.runtime.distributed import is_first_process
from negjax.training.text_packing import PACKED

logger = logging.getLogger(__name__)


class CompileNotice:
    """Knows the forms of batches that a run has compiled its step for."""

    def __init__(self) -> None:
        self._known: set[Any] = set()

    def tell(self, step: int, batches: Mapping[str, Mapping[str, Any]]) -> None:
        """Logs a line, in process 0, if batches of this form are new to the run.

        Args:
            step: number of the step that is about to run.
            batches: what it is given, see `negjax.training.text_packing.StepTexts`.
        """
        form = tuple((x.shape, x.dtype) for x in jax.tree.leaves(batches))
        if form in self._known:
            return
        self._known.add(form)
        if is_first_process():
            reason = "" if len(self._known) == 1 else f": program {len(self._known)} of this run, for another form"
            logger.info("step %d is compiled, or loaded from the cache, for %s%s", step, _describe(batches), reason)


def _describe(batches: Mapping[str, Mapping[str, Any]]) -> str:
    """What a step computes: "256 images of 224 x 224 and 240 rows of 77 tokens"."""
    images = [batch["image"].shape for name, batch in batches.items() if name != PACKED]
    parts = [f"{sum(shape[0] for shape in images):,} images of {images[0][1]} x {images[0][2]}"]
    if packs := batches.get(PACKED, {}).values():
        rows = sum(texts.token_RT.shape[0] for texts in packs)
        parts.append(f"{rows:,} rows of {next(iter(packs)).token_RT.shape[1]} tokens")
    return " and ".join(parts)
