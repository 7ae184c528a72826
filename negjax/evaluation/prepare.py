"""Prepares evaluation data from stored sets: rows are read once; equal images, clips and captions are shared."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.task_kinds import EVALUATED_KINDS
from negjax.errors import NegjaxError
from negjax.evaluation.blind.text_credits import text_credits
from negjax.evaluation.eval_data import EvalData, Task
from negjax.evaluation.fingerprint import SetFingerprint
from negjax.evaluation.media import DistinctMedia, Origin, VideoSampling
from negjax.evaluation.tasks.kind import task_kind
from negjax.media.images import Preprocess
from negjax.runtime.distributed import is_first_process
from negjax.runtime.progress import track_progress

logger = logging.getLogger(__name__)


class _Index:
    """Numbers distinct keys in order of first appearance, and records the origin of each."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.origins: list[Origin] = []

    def add(self, key: str, origin: Origin) -> int:
        number = self.number.setdefault(key, len(self.origins))
        if number == len(self.origins):
            self.origins.append(origin)
        return number


def prepare_eval_data(
    sets: Sequence[StoredSet],
    preprocess: Preprocess,
    *,
    video: VideoSampling = VideoSampling(),
    blind_texts: bool = True,
    keep_bytes: int = 1 << 30,
    cache_dir: epath.PathLike | None = None,
    progress: bool = True,
) -> EvalData:
    """Reads the sets and lists what must be embedded: each distinct image, clip and caption once over all sets.

    Args:
        sets: the sets to evaluate.
        preprocess: the preprocessing of the model; media with equal bytes are shared.
        video: how clips are sampled.
        blind_texts: also score the questions by their options alone.
        keep_bytes: bytes of pixels that are kept from the first evaluation on, for images and for clips each.
        cache_dir: folder in which the credits of scorers that were fitted to texts are kept; None to keep nothing.
        progress: show bars, in the first process.

    Returns:
        The data, for any number of models with this preprocessing.

    Raises:
        NegjaxError: a set cannot be evaluated, or is named twice.
    """
    if not sets:
        raise NegjaxError("no set to evaluate: name at least one")
    for data in sets:
        check_evaluable(data)
    names = [data.name for data in sets]
    for name in names:
        if names.count(name) > 1:
            raise NegjaxError(f"set {name} is named twice: name each task once")
    if video.frames < 1:
        raise NegjaxError(f"--frames {video.frames}: it must be at least 1")
    progress = progress and is_first_process()
    images, clips, captions = _Index(), _Index(), _Index()
    tasks = [_read_task(data, clips if _is_video(data) else images, captions, video, progress) for data in sets]
    for data, task in zip(sets, tasks):
        if _is_video(data):  # clips are embedded after all images
            task.media_N += len(images.origins)
    texts = list(captions.number)
    return EvalData(
        tasks=tasks,
        images=DistinctMedia(preprocess, None, keep_bytes, images.origins, list(images.number)),
        clips=DistinctMedia(preprocess, video, keep_bytes, clips.origins, list(clips.number)),
        captions=texts,
        caption_origins=captions.origins,
        text_credits=text_credits(tasks, texts, cache_dir=cache_dir, progress=progress) if blind_texts else {},
    )


def check_evaluable(data: StoredSet) -> None:
    """Raises NegjaxError for a set that must not or cannot be evaluated."""
    kind, altered = data.metadata["task_kind"], data.metadata["altered"]
    if kind not in EVALUATED_KINDS:
        raise NegjaxError(f"set {data.name} is of kind {kind!r}: only {', '.join(EVALUATED_KINDS)} can be evaluated")
    if altered:
        raise NegjaxError(
            f"set {data.name} was altered when it was built ({altered}): its figures would not be those of "
            "the real images; build it again without altering them"
        )


def _is_video(data: StoredSet) -> bool:
    return data.metadata.get("media_type") == "video"


def _read_task(data: StoredSet, media: _Index, captions: _Index, video: VideoSampling, progress: bool) -> Task:
    """The task of a set; enters its media and captions."""
    rows: list[Record] = []
    media_numbers = []
    fingerprint = SetFingerprint(data)
    with track_progress(len(data), f"reading {data.name}", progress) as advance:
        for index in range(len(data)):
            row = data[index]
            fingerprint.add(row)
            del row["media"]
            rows.append(row)
            media_numbers.append(media.add(row["media_sha256"], Origin(data, index, int(row["id"]))))
            advance(1)
    empty = 0

    def add_caption(text: str, row_index: int) -> int:
        nonlocal empty
        empty += not text.strip()
        return captions.add(text, Origin(data, row_index, int(rows[row_index]["id"])))

    content = task_kind(data.metadata["task_kind"]).read(data, rows, add_caption)
    if empty:
        logger.warning("set %s has %d empty captions; they are scored like the others", data.name, empty)
    return Task(
        name=data.name,
        kind=data.metadata["task_kind"],
        negated=bool(data.metadata["negated"]),
        id_N=np.array([row["id"] for row in rows], np.int64),
        group_N=np.array([row["group"] for row in rows], np.int64),
        media_N=np.array(media_numbers, np.int64),
        content=content,
        provenance=_provenance(data, video) | {"set": fingerprint.sums()},
    )


def _provenance(data: StoredSet, video: VideoSampling) -> dict[str, Any]:
    """The source of the data, and how clips were sampled, for results.json."""
    source, skipped = data.metadata.get("source", {}), data.metadata.get("skipped", {})
    provenance: dict[str, Any] = {
        "source": {
            "file": source.get("file", ""),
            "sha256": source.get("sha256", ""),
            "rows": source.get("rows", len(data)),
            "skipped": sum(reason["count"] for reason in skipped.values()),
        }
    }
    if _is_video(data):
        provenance["video"] = {"frames": video.frames, "preprocess": video.preprocess}
    return provenance
