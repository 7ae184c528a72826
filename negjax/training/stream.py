"""The batches of all sources, on the devices before they are needed."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from negjax.input.broken import BrokenRows
from negjax.input.pipeline import batches
from negjax.models.text import lengths
from negjax.objectives.inputs import INPUTS
from negjax.runtime.mesh import put_batch
from negjax.runtime.step_timer import StepWork
from negjax.tokenizers.clip import Tokenizer
from negjax.training.flops import step_flops
from negjax.training.prepare import PreparedRun

BATCHES_AHEAD = 2  # on their way to the device


@dataclass(frozen=True)
class StepBatch:
    """What a step computes.

    Attributes:
        arrays: source name -> its batch as global arrays.
        work: its operations and tokens.
    """

    arrays: dict[str, Any]
    work: StepWork


def stream_batches(run: PreparedRun, broken: Mapping[str, BrokenRows], first: int) -> Iterator[StepBatch]:
    """The batches of each step after `first`; BATCHES_AHEAD of the loop.

    Args:
        run: data, model and mesh.
        broken: for each source, counts the rows whose image cannot be decoded.
        first: steps that were taken before.
    """
    model = run.model
    streams = {
        name: batches(
            source.data,
            source.settings,
            preprocess=model.preprocess,
            tokenizer=model.tokenizer,
            context_length=model.config.text.context_length,
            # Stored lengths are those of CLIP's tokens; and where padding is seen it is part of the text.
            trim=isinstance(model.tokenizer, Tokenizer) and not model.config.text.sees_padding,
            seed=source.seed,
            first_step=first,
            rows=source.local_b,
            threads=run.data.threads,
            broken=broken[name],
        )
        for name, source in run.data.sources.items()
    }
    queue: deque[StepBatch] = deque()
    while True:
        while len(queue) < BATCHES_AHEAD:
            local = {name: next(stream) for name, stream in streams.items()}
            arrays = put_batch(run.mesh, local)
            queue.append(StepBatch(arrays, _work(run, arrays, local)))
        yield queue.popleft()


def _work(run: PreparedRun, arrays: dict[str, Any], local: Mapping[str, Mapping[str, np.ndarray]]) -> StepWork:
    """The work of a step on global batches, of which this process has the rows `local`."""
    config = run.model.config
    texts = {
        (source, name): ids.reshape(-1, ids.shape[-1])
        for source, batch in local.items()
        for name, ids in batch.items()
        if INPUTS[name].tower == "text"
    }
    lengths_of = {key: lengths(config.text, token_NT) for key, token_NT in texts.items()}
    return StepWork(
        flops=step_flops(config, arrays, run.experiment.sources, run.program.learns, lengths=lengths_of),
        real_tokens=sum(int(length_N.sum()) for length_N in lengths_of.values()),
        tokens=sum(token_NT.size for token_NT in texts.values()),
    )
