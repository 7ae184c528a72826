"""Packs the texts of a step, of all its sources, into rows of the text tower's context.

A device encodes its rows of a batch in parts, one for each micro-batch; a part's texts are packed by themselves. All
parts have the same number of rows: one that is planned from the lengths of a run's first steps, and where that does not
suffice one that follows from the lengths of all texts of the global batch. So every host finds the same, also after a
restart, and each number is compiled once.

Shapes: P parts of the global batch, p of them on this host, N texts of a part, T tokens of the context, K slots.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negjax.config import Source
from negjax.input.loader import Batch, lengths_key
from negjax.models.architecture import TextConfig, TextEncoderConfig
from negjax.models.packing import PackedTexts, assign_rows, pack, round_up_rows, slots_of_row
from negjax.models.text import lengths
from negjax.objectives.inputs import INPUTS

# In place of a source's name: its "batch" holds the rows of each group of texts. In the other batches of the step slots
# stand in place of token ids, counted over the rows of a part, of the groups in this order.
PACKED = "packed texts"
GROUPS = ("taught", "untaught")  # texts that a teacher encodes too, and others
TextKey = tuple[str, str]  # source, name of an input
PLANNED_STEPS = 16  # from which the number of rows is planned
SHORT_RUN = 5_000  # steps, of which those that a further program is compiled for are less than it costs
DEVIATIONS = 4  # of the steps' needs, above their mean: one step in many thousands needs more
MOST_STEPS = 0.75  # quantile of the needs


@dataclass(frozen=True)
class StepTexts:
    """The batches of a step, and the tokens of their texts.

    Attributes:
        batches: source -> arrays; with packed texts also PACKED -> group -> rows.
        lengths: tokens of each text of this host, int64, that decide its embedding.
        tokens: the tokens that this host's devices compute.
    """

    batches: dict[str, dict[str, Any]]
    lengths: dict[TextKey, np.ndarray]
    tokens: int

    @property
    def real_tokens(self) -> int:
        """Those of them that decide an embedding."""
        return sum(int(length_N.sum()) for length_N in self.lengths.values())


def text_keys(sources: Mapping[str, Source]) -> list[TextKey]:
    """The texts of a step."""
    return [(s, name) for s, source in sources.items() for name in source.inputs if INPUTS[name].tower == "text"]


def unpacked(
    local: Mapping[str, Batch], sources: Mapping[str, Source], config: TextConfig | TextEncoderConfig
) -> StepTexts:
    """The batches as they are, a row for each text."""
    ids = {(source, name): local[source][name] for source, name in text_keys(sources)}
    counts = {key: lengths(config, x.reshape(-1, x.shape[-1])) for key, x in ids.items()}
    return StepTexts({name: dict(batch) for name, batch in local.items()}, counts, sum(x.size for x in ids.values()))


def plan_rows(
    steps: Sequence[Mapping[str, Batch]], sources: Mapping[str, Source], config: TextConfig, parts: int, total: int
) -> dict[str, int]:
    """The rows of each group of texts of a part that a run has.

    In a short run they suffice for all steps but very few, so that one program is compiled. In a long one padding costs
    more than compiling: they suffice for most steps, and others get what they need.

    Args:
        steps: of some steps, source -> the lengths of its batch.
        sources: the settings of each.
        config: the text tower, which must allow packing.
        parts: P.
        total: the number of steps of the run.
    """
    planned = {}
    for group, keys in _groups(sources).items():
        needed = [max(count for _, count in _assign(_bounds(local, keys, parts), config)) for local in steps]
        if total <= SHORT_RUN:
            planned[group] = math.ceil(np.mean(needed) + DEVIATIONS * np.std(needed))
        else:
            planned[group] = int(np.quantile(needed, MOST_STEPS, method="higher"))
    return planned


def pack_step(
    local: Mapping[str, Batch],
    sources: Mapping[str, Source],
    config: TextConfig,
    parts: int,
    local_p: Sequence[int],
    planned: Mapping[str, int] | None = None,
) -> StepTexts:
    """Packs the texts of a step.

    A text that is longer than its stored length, because its row replaces one whose image is broken, is cut.

    Args:
        local: source -> its batch with lengths, as `negjax.input.pipeline.batches` makes it for this host.
        sources: the settings of each.
        config: the text tower, which must allow packing.
        parts: P.
        local_p: the parts of this host, ascending.
        planned: what `plan_rows` returns; without it the rows follow from this step alone.
    """
    batches = {source: _without_lengths(batch) for source, batch in local.items()}
    lengths_of: dict[TextKey, np.ndarray] = {}
    groups: dict[str, PackedTexts] = {}
    first_slot = 0
    for group, keys in _groups(sources).items():
        bound_PN = _bounds(local, keys, parts)
        assigned = _assign(bound_PN, config)
        needed, enough = max(count for _, count in assigned), (planned or {}).get(group, 0)
        rows = enough if needed <= enough else round_up_rows(needed)
        id_pNT = np.concatenate(
            [local[s][name].reshape(len(local_p), -1, config.context_length) for s, name in keys], axis=1
        )
        packs, slots, counts = [], [], []
        for id_NT, part in zip(id_pNT, local_p):
            id_NT, length_N = _cut(config, id_NT, bound_PN[part])
            texts, slot_N = pack(id_NT, length_N, assigned[part][0], rows, config.context_length)
            packs.append(texts)
            slots.append(slot_N + first_slot)
            counts.append(length_N)
        groups[group] = PackedTexts(*(np.concatenate(arrays) for arrays in zip(*packs)))
        first_slot += rows * slots_of_row(config.context_length)
        ends = np.cumsum([local[s][name].size // (len(local_p) * config.context_length) for s, name in keys])[:-1]
        by_key = zip(keys, np.split(np.stack(slots), ends, axis=1), np.split(np.stack(counts), ends, axis=1))
        for (source, name), slot_pN, length_pN in by_key:
            batches[source][name] = slot_pN.reshape(local[source][name].shape[:-1])
            lengths_of[source, name] = length_pN.ravel()
    tokens = sum(texts.token_RT.size for texts in groups.values())
    return StepTexts(batches | ({PACKED: groups} if groups else {}), lengths_of, tokens)


def _groups(sources: Mapping[str, Source]) -> dict[str, list[TextKey]]:
    """The texts of each group that has any."""
    keys: dict[str, list[TextKey]] = {group: [] for group in GROUPS}
    for source, name in text_keys(sources):
        keys[GROUPS[0] if name in sources[source].teacher_inputs else GROUPS[1]].append((source, name))
    return {group: found for group, found in keys.items() if found}


def _bounds(local: Mapping[str, Batch], keys: Sequence[TextKey], parts: int) -> np.ndarray:
    """The most tokens of the texts of each part, [P, N]."""
    return np.concatenate([local[s][lengths_key(name)].reshape(parts, -1) for s, name in keys], axis=1)


def _assign(bound_PN: np.ndarray, config: TextConfig) -> list[tuple[np.ndarray, int]]:
    """The row of each text of each part, and how many rows the part needs."""
    return [assign_rows(bound_N, config.context_length) for bound_N in bound_PN]


def _without_lengths(batch: Batch) -> dict[str, Any]:
    return {name: x for name, x in batch.items() if name in INPUTS}


def _cut(config: TextConfig, id_NT: np.ndarray, most_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts of at most so many tokens, each with its end token, and how many they have."""
    length_N = lengths(config, id_NT)
    long_X = np.flatnonzero(length_N > most_N)
    if len(long_X):
        id_NT = id_NT.copy()
        id_NT[long_X, most_N[long_X] - 1] = id_NT[long_X, length_N[long_X] - 1]
    return id_NT, np.minimum(length_N, most_N)
