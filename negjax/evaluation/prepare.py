"""From data sets to a plan: rows are read once, and equal images and captions found over all sets."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from negjax.datasets.reading import Set
from negjax.errors import NegjaxError
from negjax.evaluation.embeddings import distinct_rows
from negjax.evaluation.plan import Plan, Questions, Retrieval, Source, Task, ZeroShot
from negjax.media.images import Preprocess
from negjax.tokenizer_hf import AnyTokenizer

QUESTIONS = ("mcq", "binary_mcq", "truth_table")
KINDS = (*QUESTIONS, "retrieval", "zeroshot")
Row = dict[str, Any]

logger = logging.getLogger(__name__)


class _Distinct:
    """Gives each new key the next place, and remembers where it was first seen."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.sources: list[Source] = []

    def add(self, key: str, source: Source) -> None:
        if self.places.setdefault(key, len(self.sources)) == len(self.sources):
            self.sources.append(source)


def prepare(
    sets: Sequence[Set],
    preprocess: Preprocess,
    tokenizer: AnyTokenizer,
    *,
    context_length: int,
    keep_bytes: int = 1 << 30,
) -> Plan:
    """Reads the sets and lays out what is to be embedded: each distinct image and caption once over all sets.

    Images are the same where their bytes are, captions where their tokens are. If all pixels fit into
    keep_bytes they are held from the first evaluation on. Raises NegjaxError for sets that cannot be
    evaluated.
    """
    for data in sets:
        check(data)
    names = [data.name for data in sets]
    for name in names:
        if names.count(name) > 1:
            raise NegjaxError(f"set {name} is asked for twice: name each task once")
    images, texts = _Distinct(), _Distinct()
    read = [_read(data, images, texts) for data in sets]
    token_CT, place_N = distinct_rows(tokenizer(list(texts.places), context_length))
    first_C = np.unique(place_N, return_index=True)[1]
    captions = dict(zip(texts.places, place_N.tolist()))
    return Plan(
        tasks=[_task(data, rows, images.places, captions) for data, rows in zip(sets, read)],
        images=images.sources,
        captions=[texts.sources[i] for i in first_C],
        token_CT=token_CT,
        preprocess=preprocess,
        keep_bytes=keep_bytes,
    )


def check(data: Set) -> None:
    """Raises NegjaxError for a set that must not or cannot be evaluated."""
    kind, altered = data.metadata["task_kind"], data.metadata["altered"]
    if kind not in KINDS:
        raise NegjaxError(f"set {data.name} is of kind {kind!r}: only {', '.join(KINDS)} can be evaluated")
    if altered:
        raise NegjaxError(
            f"set {data.name} was altered when it was built ({altered}): its figures would not be those of "
            "the real images; build it again without altering them"
        )


def _read(data: Set, images: _Distinct, texts: _Distinct) -> list[Row]:
    """All rows without their media; enters their images and texts."""
    rows, empty = [], 0
    for number in range(len(data)):
        row = data[number]
        del row["media"]
        rows.append(row)
        source = Source(data, number, int(row["id"]))
        images.add(row["media_sha256"], source)
        for text in _texts(data, row):
            texts.add(text, source)
            empty += not text.strip()
    for prompt in (text for prompts in _prompts(data) for text in prompts):
        texts.add(prompt, Source(data, 0, int(rows[0]["id"])))
    if empty:
        logger.warning("set %s has %d empty captions; they are scored like the others", data.name, empty)
    return rows


def _texts(data: Set, row: Row) -> list[str]:
    kind = data.metadata["task_kind"]
    if kind in QUESTIONS:
        return row["options"]
    return row["captions"] if kind == "retrieval" else []


def _prompts(data: Set) -> list[list[str]]:
    """The prompts of each class, where the set is for zero-shot naming."""
    if data.metadata["task_kind"] != "zeroshot":
        return []
    templates = data.metadata["templates"]
    return [[template.format(name) for template in templates] for name in data.metadata["classnames"]]


def _task(data: Set, rows: list[Row], images: dict[str, int], captions: dict[str, int]) -> Task:
    kind = data.metadata["task_kind"]
    content: Questions | Retrieval | ZeroShot
    if kind in QUESTIONS:
        content = _questions(data.name, rows, captions)
    elif kind == "retrieval":
        content = Retrieval(
            caption_C=np.array([captions[text] for row in rows for text in row["captions"]], np.int64),
            owner_C=np.repeat(np.arange(len(rows)), [len(row["captions"]) for row in rows]),
        )
    else:
        content = ZeroShot(
            label_N=np.array([row["label"] for row in rows], np.int64),
            prompt_KP=np.array([[captions[text] for text in prompts] for prompts in _prompts(data)], np.int64),
        )
    return Task(
        name=data.name,
        kind=kind,
        negated=bool(data.metadata["negated"]),
        id_N=np.array([row["id"] for row in rows], np.int64),
        group_N=np.array([row["group"] for row in rows], np.int64),
        image_N=np.array([images[row["media_sha256"]] for row in rows], np.int64),
        content=content,
    )


def _questions(name: str, rows: list[Row], captions: dict[str, int]) -> Questions:
    for row in rows:
        if len(row["options"]) != len(rows[0]["options"]):
            raise NegjaxError(
                f"set {name}, row {row['id']} has {len(row['options'])} options where the first row has "
                f"{len(rows[0]['options'])}: one set asks questions of one form"
            )
    return Questions(
        option_NO=np.array([[captions[text] for text in row["options"]] for row in rows], np.int64),
        answer_N=np.array([row["answer"] for row in rows], np.int64),
        kinds=[row["kind"] for row in rows],
    )
