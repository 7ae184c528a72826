"""The batches of all sources, on the devices before they are needed."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from negjax.input.broken import BrokenRows
from negjax.input.pipeline import batches
from negjax.runtime.mesh import put_batch
from negjax.tokenizers.clip import Tokenizer
from negjax.training.prepare import PreparedRun

BATCHES_AHEAD = 2  # on their way to the device


def stream_batches(run: PreparedRun, broken: Mapping[str, BrokenRows], first: int) -> Iterator[dict[str, Any]]:
    """Source name -> its batch as global arrays, for each step after `first`; BATCHES_AHEAD of the loop.

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
    queue: deque[dict[str, Any]] = deque()
    while True:
        while len(queue) < BATCHES_AHEAD:
            queue.append(put_batch(run.mesh, {name: next(stream) for name, stream in streams.items()}))
        yield queue.popleft()
