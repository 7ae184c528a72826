"""Builds one shard of a training set, in any process, and records its content for a build that resumes."""

import base64
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.build.dropped_folders import DroppedFolders
from negjax.datasets.build.media_check import image_fault
from negjax.datasets.build.media_matches import MediaMatches
from negjax.datasets.build.set_images import SHARD_IMAGE, shard_images
from negjax.datasets.build.skipped import SkippedRows
from negjax.datasets.records import ENCODED, Record
from negjax.datasets.sources.rows import (
    AMBIGUOUS_QUESTION,
    BROKEN,
    INVALID,
    MISSING,
    NO_QUESTION,
    MediaFile,
    Row,
    RowRef,
    RowSource,
    check_option_counts,
    is_video,
    locate_media,
    read_media,
)
from negjax.datasets.stored.writing import SetSpec, WrittenShard, shard_path, write_shard
from negjax.errors import NegjaxError
from negjax.language.negation import is_negated
from negjax.media.decoding import decode
from negjax.media.jpeg import shrink_to_jpeg
from negjax.runtime.files import write_atomic

SKIP_REASONS = (MISSING, BROKEN, INVALID, NO_QUESTION, AMBIGUOUS_QUESTION)


@dataclass
class ShardSummary:
    """Counts of the rows and texts of one shard, or of several.

    Attributes:
        skipped: The skipped rows.
        texts: Number of records.
        negated_texts: Number of records with a negation word.
        empty_texts: Number of empty texts.
        option_counts: Number of options -> the first row with that number.
        dropped: The folders of paths that files are found without.
    """

    skipped: SkippedRows = field(default_factory=lambda: SkippedRows.none(SKIP_REASONS, "why"))
    texts: int = 0
    negated_texts: int = 0
    empty_texts: int = 0
    option_counts: dict[int, RowRef] = field(default_factory=dict)
    dropped: DroppedFolders = field(default_factory=DroppedFolders)

    def add_row(self, row: Row) -> None:
        """Counts a row that becomes a record."""
        if "options" in row.record:
            self.option_counts.setdefault(len(row.record["options"]), row.ref)
        texts = [text for column in ENCODED for text in row.record.get(column, ())]
        self.empty_texts += sum(not text.strip() for text in texts)
        self.texts += 1
        self.negated_texts += any(map(is_negated, texts))

    def add_shard(self, later: "ShardSummary") -> None:
        """Counts a later shard."""
        self.skipped.add_all(later.skipped)
        self.texts += later.texts
        self.negated_texts += later.negated_texts
        self.empty_texts += later.empty_texts
        self.option_counts = later.option_counts | self.option_counts
        self.dropped.add_later(later.dropped)


@dataclass(frozen=True)
class ShardJob:
    """A shard to build; can be pickled.

    Attributes:
        source: The source of the set, with the rows of this shard only.
        index: 0-based number of the shard.
        count: Number of shards.
        workspace: Folder in which the set is built.
        spec: The set.
        short_side: Images are shrunk to this short side in pixels; 0 keeps them as they are.
    """

    source: RowSource
    index: int
    count: int
    workspace: str
    spec: SetSpec
    short_side: int

    @property
    def path(self) -> epath.Path:
        """The shard's records."""
        return shard_path(epath.Path(self.workspace), self.spec.name, self.index, self.count)

    @property
    def result_path(self) -> epath.Path:
        """The file that records the shard's content; it exists only once the shard is complete."""
        return epath.Path(self.workspace) / f"shard-{self.index:05d}.json"


def build_shard(job: ShardJob) -> np.ndarray:
    """Builds a shard, unless an earlier build has done so; returns its images, see `shard_images`.

    Raises:
        NegjaxError: The shard cannot be written, two of its paths are found as one file, or a row is invalid.
    """
    current = _read_current(job)
    if current is not None:
        return np.frombuffer(base64.b64decode(current["images"]), SHARD_IMAGE)
    job.result_path.unlink(missing_ok=True)
    summary, lost = ShardSummary(), dict[str, str]()
    matches = MediaMatches(job.source.name, job.source.media_root, dropped=summary.dropped)
    partial = job.result_path.with_name(f"half-{job.index:05d}-{os.getpid()}")
    try:
        shard = write_shard(partial, job.spec, _read_records(job, summary, lost, matches))
        job.path.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(job.path)
    except (OSError, RuntimeError) as error:  # RuntimeError is what ArrayRecord raises for a full disk
        raise NegjaxError(f"cannot write {job.path}: {error}; run the same command again to resume") from error
    finally:
        partial.unlink(missing_ok=True)
    images = shard_images(matches)
    encoded = base64.b64encode(images.tobytes()).decode()
    result = {"shard": asdict(shard), "summary": asdict(summary), "lost": lost, "images": encoded}
    write_atomic(job.result_path, json.dumps({"result": result, "crc32": _crc32_of(result)}))
    return images


def read_result(job: ShardJob) -> tuple[WrittenShard, ShardSummary]:
    """Reads the recorded content of a shard; raises NegjaxError if its records are not complete."""
    result = _read_result_file(job)
    if result is None:
        raise NegjaxError(f"{job.result_path} is damaged: run the same command again to make its shard again")
    shard = WrittenShard(**result["shard"])
    if not job.path.exists() or job.path.stat().length != shard.bytes:
        raise NegjaxError(f"{job.path} is incomplete: delete {job.result_path}, and run the same command again")
    stored = result["summary"]
    counts = {int(count): RowRef(*row) for count, row in stored["option_counts"].items()}  # JSON's keys are texts
    skipped, dropped = SkippedRows(**stored["skipped"]), DroppedFolders(**stored["dropped"])
    return shard, ShardSummary(**(stored | {"skipped": skipped, "option_counts": counts, "dropped": dropped}))


def _read_current(job: ShardJob) -> dict[str, Any] | None:
    """The recorded content of a complete shard whose skipped images are still missing or broken in the same way."""
    result = _read_result_file(job) if job.path.exists() else None
    find_media = job.source.find_media
    if result is None or find_media is None:
        return result
    unchanged = all(_fault(find_media(path)) == fault for path, fault in result["lost"].items())
    return result if unchanged else None


def _read_result_file(job: ShardJob) -> dict[str, Any] | None:
    """The recorded content of a shard; None if there is none, or its file is damaged."""
    if not job.result_path.exists():
        return None
    try:
        stored = json.loads(job.result_path.read_text())
        return stored["result"] if stored["crc32"] == _crc32_of(stored["result"]) else None
    except (ValueError, KeyError, TypeError):
        return None


def _crc32_of(result: dict[str, Any]) -> int:
    """The CRC-32 of a result, the same before and after it is written as JSON."""
    return zlib.crc32(json.dumps(json.loads(json.dumps(result)), sort_keys=True).encode())


def _fault(media: MediaFile | None) -> str:
    return MISSING if media is None else image_fault(media)


def _read_records(
    job: ShardJob, summary: ShardSummary, lost: dict[str, str], matches: MediaMatches
) -> Iterator[Record]:
    """The records of a shard.

    Args:
        job: The shard.
        summary: Counts its rows.
        lost: Gets the fault of each missing or broken image by path.
        matches: Gets the files that its paths are found as.
    """
    for row in job.source.read(summary.skipped.add):
        media = locate_media(row, job.source.find_media)
        if media is None:
            summary.skipped.add(MISSING, row.index, row.path)
            lost[row.path] = MISSING
            continue
        matches.add(row, media)
        if is_video(row.path):
            raise NegjaxError(f"row {row.index}, {row.path}, is a clip: training sets hold images")
        try:
            data = read_media(media)
            image = decode(data, str(media))
        except (NegjaxError, OSError) as error:
            summary.skipped.add(BROKEN, row.index, str(error))
            lost[row.path] = str(error)
            continue
        summary.add_row(row)
        check_option_counts(f"set {job.spec.name}", summary.option_counts)
        stored = shrink_to_jpeg(image, data, job.short_side) if job.short_side else data
        matches.add_copy(media, len(stored))
        yield row.record | {"media": stored}
