"""The training pipeline: global batch k is a pure function of (seed, k), on any number of hosts.

Row numbers are shuffled, repeated, given their random draws and batched before anything is read; then each host loads
its rows of the batch. All hosts know all row numbers and draws, hence the lengths of all texts, hence the same shapes;
and the state of the data is one integer, the step.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import grain
import numpy as np

from negjax.config import Source
from negjax.datasets.stored.stored_set import StoredSet
from negjax.input.broken import BrokenRows
from negjax.input.checks import check_trainable, group_size
from negjax.input.draws import draw_group
from negjax.input.loader import Batch, BatchLoader
from negjax.media.images import Preprocess
from negjax.tokenizers import AnyTokenizer

MOST_GROUPS = 2**53  # of a stream


def batches(
    data: StoredSet,
    source: Source,
    *,
    preprocess: Preprocess,
    tokenizer: AnyTokenizer,
    context_length: int,
    with_lengths: bool,
    seed: int,
    first_step: int,
    rows: Sequence[int] | np.ndarray,
    threads: int = 2,
    ahead: int = 4,
    broken: BrokenRows | None = None,
) -> Iterator[Batch]:
    """An endless stream of batches, from global batch `first_step` on.

    Args:
        data: the stored set.
        source: batch size, objectives and how images are changed.
        preprocess: how images become S x S pixels.
        tokenizer: the tokenizer of the model.
        context_length: the most tokens of a text.
        with_lengths: whether batches also tell how many of CLIP's tokens the texts have.
        seed: seed of the order and of all draws.
        first_step: global batches to skip.
        rows: which rows of each global batch to load, whole groups of them; b in all.
        threads: threads that read.
        ahead: number of batches to prefetch, at least one for each thread: with fewer some threads would idle.
        broken: counts the rows whose image cannot be decoded; by default without a limit.

    Returns:
        batches with the arrays of `source.inputs`: "image": uint8 [b, S, S, 3]; "augment": float32 [b, 6], see
        `negjax.media.augment`; "text", "negated_text", "hybrid_text" and "denial_text": int32 [b, T]; with H hard
        negatives "negative_text": int32 [b H, T], H consecutive ones for each image; "options": int32 [b / g, O, T] and
        "answer": int32 [b], where g consecutive rows share their options (1 unless the set's metadata gives a
        group_size). With lengths also, for each of the texts, `loader.lengths_key` of its name: the tokens of those of
        all B rows, int64 [B], [B H] or [B / g, O], at least those for sets of earlier versions and for texts that are
        made in the batch.

    Raises:
        NegjaxError: the set does not suit the source.
    """
    check_trainable(data, source)
    broken = BrokenRows(len(data)) if broken is None else broken
    loader = BatchLoader(
        data,
        source,
        preprocess,
        tokenizer,
        context_length,
        np.asarray(rows),
        broken,
        with_lengths=with_lengths,
    )
    plan = _drawn_batches(data, source, seed).map(loader)
    stream = iter(
        plan.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(ahead, threads)))
    )
    stream.set_state({"next_index": first_step})
    return stream


def lengths_of_batches(
    data: StoredSet, source: Source, tokenizer: AnyTokenizer, context_length: int, seed: int, count: int
) -> list[Batch]:
    """The lengths that the first batches of `batches` have, without reading their rows.

    Args:
        data: the stored set.
        source: batch size and objectives.
        tokenizer: the tokenizer of the model.
        context_length: the most tokens of a text.
        seed: seed of the order and of all draws.
        count: how many batches.

    Raises:
        NegjaxError: the set does not suit the source.
    """
    check_trainable(data, source)
    nothing, none = np.arange(0), BrokenRows(len(data))
    loader = BatchLoader(data, source, Preprocess(), tokenizer, context_length, nothing, none, with_lengths=True)
    drawn = _drawn_batches(data, source, seed)
    return [loader.lengths(drawn[step]) for step in range(count)]


def _drawn_batches(data: StoredSet, source: Source, seed: int) -> grain.MapDataset:
    """The rows and draws of each global batch."""
    group = group_size(data)
    groups = len(data) // group
    return (
        grain.MapDataset.range(groups)
        .seed(seed)
        .shuffle()
        .repeat(MOST_GROUPS // groups)  # without a number Grain's own, too large for one group a batch
        .random_map(partial(draw_group, group=group, hard_negatives=source.hard_negatives))
        .batch(source.batch_size // group)
    )
