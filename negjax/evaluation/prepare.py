"""From data sets to a plan: rows are read once, and equal images, clips and captions found over all sets."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.blind.text_credits import text_credits
from negjax.evaluation.embed.vectors import distinct_rows
from negjax.evaluation.plan import (
    Media,
    Origin,
    Plan,
    Queries,
    Questions,
    Retrieval,
    Task,
    Templates,
    Video,
    ZeroShot,
)
from negjax.media.images import Preprocess
from negjax.tokenizers import AnyTokenizer

QUESTIONS = ("mcq", "binary_mcq", "truth_table", "affirmation")
KINDS = (*QUESTIONS, "pairs", "retrieval", "zeroshot", "queries")
Row = dict[str, Any]

logger = logging.getLogger(__name__)


class _Distinct:
    """Gives each new key the next place, and remembers where it was first seen."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.sources: list[Origin] = []

    def add(self, key: str, source: Origin) -> None:
        if self.places.setdefault(key, len(self.sources)) == len(self.sources):
            self.sources.append(source)


def prepare(
    sets: Sequence[StoredSet],
    preprocess: Preprocess,
    tokenizer: AnyTokenizer,
    *,
    context_length: int,
    video: Video = Video(),
    blind_texts: bool = True,
    keep_bytes: int = 1 << 30,
) -> Plan:
    """Reads the sets and lays out what is to be embedded: each distinct image, clip and caption once over all sets.

    Media are the same where their bytes are, captions where their tokens are. blind_texts: also score the questions
    by their options alone. Pixels are held from the first evaluation on, up to keep_bytes of images, and of clips.
    Raises NegjaxError for sets that cannot be evaluated.
    """
    if not sets:
        raise NegjaxError("no set to evaluate: name at least one")
    for data in sets:
        check_evaluable(data)
    names = [data.name for data in sets]
    for name in names:
        if names.count(name) > 1:
            raise NegjaxError(f"set {name} is asked for twice: name each task once")
    if video.frames < 1:
        raise NegjaxError(f"{video.frames} frames of a clip: it must be 1 or more")
    images, clips, texts = _Distinct(), _Distinct(), _Distinct()
    read = [_read(data, clips if _is_video(data) else images, texts) for data in sets]
    tokens = tokenizer(list(texts.places), context_length) if texts.places else np.zeros((0, context_length), np.int32)
    first_C, place_N = distinct_rows(tokens)
    captions = dict(zip(texts.places, place_N.tolist()))
    clip_places = {key: len(images.places) + place for key, place in clips.places.items()}
    tasks = [
        _task(data, rows, clip_places if _is_video(data) else images.places, captions, video)
        for data, rows in zip(sets, read)
    ]
    return Plan(
        tasks=tasks,
        images=Media(preprocess, None, keep_bytes, images.sources, list(images.places)),
        clips=Media(preprocess, video, keep_bytes, clips.sources, list(clips.places)),
        captions=[texts.sources[i] for i in first_C],
        token_CT=tokens[first_C],
        text_credits=text_credits(tasks) if blind_texts else {},
    )


def check_evaluable(data: StoredSet) -> None:
    """Raises NegjaxError for a set that must not or cannot be evaluated."""
    kind, altered = data.metadata["task_kind"], data.metadata["altered"]
    if kind not in KINDS:
        raise NegjaxError(f"set {data.name} is of kind {kind!r}: only {', '.join(KINDS)} can be evaluated")
    if altered:
        raise NegjaxError(
            f"set {data.name} was altered when it was built ({altered}): its figures would not be those of "
            "the real images; build it again without altering them"
        )


def asks_questions(data: StoredSet) -> bool:
    """Whether the set shows an image and asks which caption is right."""
    return "question" in data.fields


def _is_video(data: StoredSet) -> bool:
    return data.metadata.get("media_type") == "video"


def _read(data: StoredSet, media: _Distinct, texts: _Distinct) -> list[Row]:
    """All rows without their media; enters their media and texts."""
    rows, empty = [], 0
    for number in range(len(data)):
        row = data[number]
        del row["media"]
        rows.append(row)
        source = Origin(data, number, int(row["id"]))
        media.add(row["media_sha256"], source)
        for text in _texts(data, row):
            texts.add(text, source)
            empty += not text.strip()
    for text in _shared_texts(data):
        texts.add(text, Origin(data, 0, int(rows[0]["id"])))
    if empty:
        logger.warning("set %s has %d empty captions; they are scored like the others", data.name, empty)
    return rows


def _texts(data: StoredSet, row: Row) -> list[str]:
    if asks_questions(data):
        return row["options"]
    return row["captions"] if data.metadata["task_kind"] in ("retrieval", "pairs") else []


def _shared_texts(data: StoredSet) -> Iterator[str]:
    """What a set says once, not row by row: prompts, queries, the sentences of the bias picture."""
    kind = data.metadata["task_kind"]
    if kind == "zeroshot":
        yield from (text for prompts in _prompts(data) for text in prompts)
    elif kind == "queries":
        yield from (query[form] for query in data.metadata["queries"] for form in ("text", "plain"))
    elif kind == "affirmation":
        yield from (text for _, _, text in _sentences(data))


def _prompts(data: StoredSet) -> list[list[str]]:
    """The prompts of each class."""
    templates = data.metadata["templates"]
    return [[template.replace("{}", name) for template in templates] for name in data.metadata["classnames"]]


def _sentences(data: StoredSet) -> list[tuple[str, str, str]]:
    """Object, name of the template, sentence. A second object is the next one of the list."""
    objects, templates = data.metadata["objects"], data.metadata["bias_templates"]
    return [
        (name, kind, template.format(a=name, b=objects[(place + 1) % len(objects)]))
        for kind, template in templates.items()
        for place, name in enumerate(objects)
    ]


def _task(data: StoredSet, rows: list[Row], media: dict[str, int], captions: dict[str, int], video: Video) -> Task:
    kind = data.metadata["task_kind"]
    return Task(
        name=data.name,
        kind=kind,
        negated=bool(data.metadata["negated"]),
        id_N=np.array([row["id"] for row in rows], np.int64),
        group_N=np.array([row["group"] for row in rows], np.int64),
        media_N=np.array([media[row["media_sha256"]] for row in rows], np.int64),
        content=_content(data, rows, captions),
        templates=_templates(data, captions) if kind == "affirmation" else None,
        said=_said(data, video),
    )


def _content(data: StoredSet, rows: list[Row], captions: dict[str, int]) -> Questions | Retrieval | ZeroShot | Queries:
    if asks_questions(data):
        return _questions(data.name, rows, captions)
    if data.metadata["task_kind"] == "zeroshot":
        return ZeroShot(
            label_N=np.array([row["label"] for row in rows], np.int64),
            prompt_KP=np.array([[captions[text] for text in prompts] for prompts in _prompts(data)], np.int64),
        )
    if data.metadata["task_kind"] == "queries":
        return _queries(data, rows, captions)
    return Retrieval(
        caption_C=np.array([captions[text] for row in rows for text in row["captions"]], np.int64),
        owner_C=np.repeat(np.arange(len(rows)), [len(row["captions"]) for row in rows]),
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
        texts=[row["options"] for row in rows],
        option_kinds=[row["option_kinds"] for row in rows],
    )


def _queries(data: StoredSet, rows: list[Row], captions: dict[str, int]) -> Queries:
    queries = data.metadata["queries"]
    names = sorted({name for query in queries for name in (*query["includes"], *query["excludes"])})
    holds = {name: np.array([name in row["positive_objects"] for row in rows]) for name in names}
    included = [np.all([holds[name] for name in query["includes"]], axis=0) for query in queries]
    excluded_QN = np.stack([np.any([holds[name] for name in query["excludes"]], axis=0) for query in queries])
    asked_QN = np.stack(included) & ~excluded_QN
    if len(never := np.flatnonzero(~asked_QN.any(axis=1))):
        raise NegjaxError(f"set {data.name}: no image is what {queries[never[0]]['text']!r} asks for; derive it again")
    return Queries(
        query_Q=np.array([captions[query["text"]] for query in queries], np.int64),
        plain_Q=np.array([captions[query["plain"]] for query in queries], np.int64),
        asked_QN=asked_QN,
        excluded_QN=excluded_QN,
    )


def _templates(data: StoredSet, captions: dict[str, int]) -> Templates:
    objects, templates, texts = zip(*_sentences(data))
    places = np.array([captions[text] for text in texts], np.int64)
    return Templates(list(objects), list(templates), list(texts), places)


def _said(data: StoredSet, video: Video) -> dict[str, Any]:
    """Where the data come from, and how clips were cut."""
    source, skipped = data.metadata.get("source", {}), data.metadata.get("skipped", {})
    said: dict[str, Any] = {
        "source": {
            "file": source.get("file", ""),
            "sha256": source.get("sha256", ""),
            "rows": source.get("rows", len(data)),
            "skipped": sum(each["count"] for each in skipped.values()),
        }
    }
    if _is_video(data):
        said["video"] = {"frames": video.frames, "preprocess": video.preprocess}
    return said
