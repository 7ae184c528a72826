"""Stage 4, `negjax synth write`: stored sets for training and for evaluation, of different images.

OUT/write/SET.json holds the fingerprint of each set as it was written, as only a set that still has it is replaced, and
a digest of the rows of stage verify that it was made of.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from etils import epath

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.derive.build import derive_set
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.source import PARTIAL_LABELS
from negjax.datasets.sources.media_root import MediaRoot, plain_path
from negjax.datasets.sources.rows import Row, RowSource, SkipRow
from negjax.datasets.sources.table_file import file_sha256
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.synth.shards import complete_shards, read_input_facts, read_shard
from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path

TRAINING_KINDS = ("negfull", "balanced")
TEST_KINDS = ("questions", "half_negated", "truth_table", "negated_retrieval")


@dataclass(frozen=True)
class WriteSettings:
    """Settings of the stage.

    Attributes:
        name: the first part of the names of all sets.
        data_dir: the folder of the sets.
        media_root: the folder of the images.
        test_share: the share of the images that only test sets show.
        seed: of all that is drawn.
        skip_missing: leave images out that are missing or broken.
    """

    name: str
    data_dir: epath.PathLike
    media_root: epath.PathLike
    test_share: float = 0.2
    seed: int = 0
    skip_missing: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise NegjaxError(f"--test-share {self.test_share}: give a share above 0 and below 1")
        if self.seed < 0:
            raise NegjaxError(f"--seed {self.seed}: give 0 or more")


@dataclass(frozen=True)
class StageShard:
    """The rows of a shard of stage verify that are of one part. part: "train" or "test"."""

    path: str
    part: str
    test_share: float
    rows: int

    def read(self, skip: SkipRow) -> Iterator[Row]:
        for row in _rows_of_part(self.path, self.part, self.test_share):
            record = {name: row[name] for name in ("id", "captions", "positive_objects", "negative_objects")}
            yield Row(row["id"], row["filepath"], record)


def run_write(out: epath.PathLike, settings: WriteSettings, *, progress: bool = True) -> list[str]:
    """Runs the stage. Sets that were written before are kept if they are of the same rows, and replaced otherwise.

    Args:
        out: the folder of all stages.
        settings: the settings.
        progress: whether to show progress.

    Returns:
        For each set its name, and what there is to tell about it.

    Raises:
        NegjaxError: the stage before has not ended, images are missing, a set of a name exists that this stage did
            not write, or no set can be made.
    """
    notes, derived, rows = [], 0, _digest_of_rows(out)
    for part, kinds in (("train", TRAINING_KINDS), ("test", TEST_KINDS)):
        base = f"{settings.name}_{part}"
        source = part_source(out, part, settings)
        if not source.rows:
            raise NegjaxError(f"{out}: no image is in the {part} part: give another --test-share")
        if not _is_written(out, base, settings, {"sha256": source.sha256}):
            build_evaluation_set(
                source,
                base,
                settings.data_dir,
                skip_missing=settings.skip_missing,
                overwrite=True,
                progress=progress,
            )
        data = _record_written(out, base, settings, rows)
        notes.append(f"{base}: {len(data):,} images with their captions")
        for kind in kinds:
            name = f"{settings.name}_{kind}"
            origin = {"derived_from": base, "fingerprint": data.fingerprint, "seed": settings.seed}
            if not _is_written(out, name, settings, origin):
                try:
                    request = DeriveRequest(kind, settings.seed)
                    derive_set(request, base, name, settings.data_dir, overwrite=True, progress=progress)
                except NegjaxError as error:
                    if "can be made of these labels" not in str(error):
                        raise
                    if (former := to_path(settings.data_dir) / name).exists():
                        former.rmtree()  # of rows that are no more
                    notes.append(f"{name}: not made, because {error}")
                    continue
            derived += 1
            notes.append(f"{name}: {len(_record_written(out, name, settings, rows)):,} rows")
    if not derived:
        raise NegjaxError(f"{out}: too few objects for any set: give more captions, or a larger --max-risk")
    return notes


def part_source(out: epath.PathLike, part: str, settings: WriteSettings) -> RowSource:
    """The rows of stage verify of one part, as the source of a captions set."""
    labels = {} if read_input_facts(out)["labelled"] else {"labels": PARTIAL_LABELS}
    digest = hashlib.sha256(f"{part} {settings.test_share} {settings.skip_missing} {labels}".encode())
    shards = []
    for path in complete_shards(out, "verify"):
        digest.update(path.read_bytes())
        count = sum(1 for _ in _rows_of_part(str(path), part, settings.test_share))
        shards.append(StageShard(str(path), part, settings.test_share, count))
    return RowSource(
        kind="captions",
        name=str(out),
        file=PurePath(out).name,
        sha256=digest.hexdigest(),
        media_root=str(settings.media_root),
        fields=("captions",),
        shards=tuple(shards),
        task_kind="retrieval",
        find_media=MediaRoot(settings.media_root).find,
        metadata=labels,
    )


def is_test(path: str, test_share: float) -> bool:
    """Whether the image with this path is in the test part: by its path alone, so that both parts stay what they are
    when rows are added."""
    digest = hashlib.blake2b(plain_path(path).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < test_share * 2**64


def _rows_of_part(path: str, part: str, test_share: float) -> Iterator[dict[str, Any]]:
    for row in read_shard(epath.Path(path), "verify"):
        if is_test(row["filepath"], test_share) == (part == "test"):
            yield row


def _is_written(out: epath.PathLike, name: str, settings: WriteSettings, origin: dict[str, Any]) -> bool:
    """Whether a set exists and was made of this.

    Raises:
        NegjaxError: it was made of something else, and is not as this stage wrote it.
    """
    folder = to_path(settings.data_dir) / name
    if not folder.exists():
        return False
    data = open_set(settings.data_dir, name)
    made_of = data.metadata.get("source", {})
    if all(made_of.get(key) == value for key, value in origin.items()):
        return True
    record = _record_path(out, name)
    if not record.exists() or json.loads(record.read_text())["fingerprint"] != data.fingerprint:
        raise NegjaxError(
            f"{folder} was made of something else, and not by negjax synth write of {out}: delete it, or give another "
            "--name"
        )
    return False


def _record_written(out: epath.PathLike, name: str, settings: WriteSettings, rows: str) -> StoredSet:
    """Opens a set of this stage and records it as such, for `_is_written` and `check_rows`."""
    data = open_set(settings.data_dir, name)
    write_atomic(_record_path(out, name), json.dumps({"fingerprint": data.fingerprint, "rows": rows}, indent=1))
    return data


def check_rows(out: epath.PathLike, name: str) -> None:
    """Raises NegjaxError if a set of this stage was made of other rows than stage verify has now."""
    record = _record_path(out, name)
    if record.exists() and json.loads(record.read_text())["rows"] != _digest_of_rows(out):
        raise NegjaxError(f"set {name} is of other rows than stage verify of {out} now: run negjax synth write again")


def _digest_of_rows(out: epath.PathLike) -> str:
    return hashlib.sha256(" ".join(map(file_sha256, complete_shards(out, "verify"))).encode()).hexdigest()


def _record_path(out: epath.PathLike, name: str) -> epath.Path:
    return to_path(out) / "write" / f"{name}.json"
