"""The batches of all sources, on the devices before they are needed."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from negjax.input.broken import BrokenRows
from negjax.input.loader import Batch
from negjax.input.pipeline import batches, lengths_of_batches
from negjax.models.packing import can_pack
from negjax.runtime.mesh import local_row_indices, num_batch_shards, put_batch
from negjax.runtime.step_timer import StepWork
from negjax.tokenizers.clip import Tokenizer
from negjax.training.flops import step_flops
from negjax.training.prepare import PreparedRun
from negjax.training.text_packing import PLANNED_STEPS, StepTexts, pack_step, plan_rows, unpacked

BATCHES_AHEAD = 2  # on their way to the device


@dataclass(frozen=True)
class StepBatch:
    """What a step computes.

    Attributes:
        arrays: the batches of `StepTexts`, as global arrays.
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
    model, sources = run.model, run.experiment.sources
    # Stored lengths are those of CLIP's tokens, of texts in lower case.
    text = model.config.text
    packed = text if can_pack(text) and model.tokenizer.to_dict() == Tokenizer().to_dict() else None
    streams = {
        name: batches(
            source.data,
            source.settings,
            preprocess=model.preprocess,
            tokenizer=model.tokenizer,
            context_length=text.context_length,
            with_lengths=packed is not None,
            seed=source.seed,
            first_step=first,
            rows=source.local_b,
            threads=run.data.threads,
            broken=broken[name],
        )
        for name, source in run.data.sources.items()
    }
    parts = num_batch_shards(run.mesh) * run.experiment.loss.micro_batches
    local_p = local_row_indices(run.mesh, parts, "the batch").tolist()
    planned = plan_rows(_first_lengths(run), sources, packed, parts, run.experiment.steps) if packed else None
    queue: deque[StepBatch] = deque()
    while True:
        while len(queue) < BATCHES_AHEAD:
            local = {name: next(stream) for name, stream in streams.items()}
            if packed:
                texts = pack_step(local, sources, packed, parts, local_p, planned)
            else:
                texts = unpacked(local, sources, text)
            arrays = put_batch(run.mesh, texts.batches)
            queue.append(StepBatch(arrays, _work(run, arrays, texts)))
        yield queue.popleft()


def _first_lengths(run: PreparedRun) -> list[dict[str, Batch]]:
    """The lengths of the texts of the run's first steps, also where it goes on from a later one: source -> batch."""
    model = run.model
    of_source = {
        name: lengths_of_batches(
            source.data, source.settings, model.tokenizer, model.config.text.context_length, source.seed, PLANNED_STEPS
        )
        for name, source in run.data.sources.items()
    }
    return [dict(zip(of_source, step)) for step in zip(*of_source.values())]


def _work(run: PreparedRun, arrays: dict[str, Any], texts: StepTexts) -> StepWork:
    """The work of a step on global batches."""
    flops = step_flops(run.model.config, arrays, run.experiment.sources, run.program.learns, lengths=texts.lengths)
    return StepWork(flops, texts.real_tokens, texts.tokens)
