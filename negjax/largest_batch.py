"""`negjax compile --fit`: the largest batch whose training step fits into a chip's memory."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from negjax.compile import Compiled, DoesNotFit, compile_experiment, memory_line, mesh_of
from negjax.config import Experiment
from negjax.errors import NegjaxError
from negjax.runtime.mesh import num_batch_shards

logger = logging.getLogger(__name__)


def compile_largest(experiment: Experiment, topology: str, tokens: int = 0) -> Compiled:
    """Compiles the step with the largest batch that fits into a chip's memory, to within an eighth.

    The batches of all sources grow or shrink together.

    Args:
        experiment: the settings; the search begins with their batches.
        topology: as for `compile_experiment`, and so is tokens.

    Raises:
        NegjaxError: as `compile_experiment`, or the smallest batches do not fit either.
    """
    sizes = {name: source.batch_size for name, source in experiment.sources.items()}
    rows = num_batch_shards(mesh_of(experiment, topology)) * experiment.loss.micro_batches
    start = math.gcd(*(max(1, size // rows) for size in sizes.values()))
    fitting: dict[int, Compiled] = {}

    def fits(multiple: int) -> bool:
        batch = {name: size // start * multiple for name, size in sizes.items()}
        resized: dict[str, Any] = {name: {"batch_size": size} for name, size in batch.items()}
        sources = {name: replace(source, **resized[name]) for name, source in experiment.sources.items()}
        label = ", ".join(f"{name} {size:,}" for name, size in batch.items())
        try:
            compiled = compile_experiment(replace(experiment, sources=sources), topology, tokens)
        except DoesNotFit:
            logger.info("%s: does not fit", label)
            return False
        logger.info("%s: %s", label, memory_line(compiled))
        if compiled.fits:
            fitting[multiple] = compiled
        return compiled.fits

    if not (largest := largest_fitting(fits, start)):
        smallest = ", ".join(f"{name} {size // start}" for name, size in sizes.items())
        raise NegjaxError(
            f"--fit: even batches of {smallest} do not fit into a chip's memory: set config.model.remat=full, more "
            "config.loss.micro_batches or a larger config.mesh.fsdp"
        )
    return fitting[largest]


def largest_fitting(fits: Callable[[int], bool], start: int) -> int:
    """The largest whole number that fits, or one at most an eighth below it; 0 if none does.

    Args:
        fits: true up to some number, false above.
        start: the first number that is tried.
    """
    low, high = 0, start
    while fits(high):
        low, high = high, 2 * high
    while not low and high > 1:
        if fits(high // 2):
            low = high // 2
        else:
            high //= 2
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
