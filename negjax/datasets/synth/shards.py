"""The files of a stage: a Parquet file a shard, written whole, and a record of what it was made of.

OUT/STAGE/00000.parquet, 00001.parquet, ..., a 00000.json beside each, and OUT/STAGE/settings.json. A shard that exists
is complete; what it holds depends on its input and the settings alone, so that any number of processes write the same
bytes. Its record holds a digest of these, its origin, and one of its bytes as they were written. By them

- a shard is made again if its origin changed, and kept otherwise;
- a shard that was edited is used as it is, and is an error if its origin changed: it is never overwritten;
- a stage is complete only if all its shards are of their present origin.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.parquet
from etils import epath

from negjax.datasets.sources.table_file import file_sha256
from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path
from negjax.runtime.progress import track_progress

IMAGES_PER_SHARD = 2_000
_TEXTS = pyarrow.list_(pyarrow.string())
_SIDES = dict.fromkeys(("left", "top", "right", "bottom"), pyarrow.float32())  # in [0, 1] of the image
_BOX = pyarrow.struct({"name": pyarrow.string(), "score": pyarrow.float32(), **_SIDES}.items())
# Columns of the stages' tables; a stage adds its own to those of the stage before it.
COLUMNS_OF_STAGE = {
    "extract": {
        "id": pyarrow.int64(),
        "filepath": pyarrow.string(),
        "captions": _TEXTS,
        "positive_objects": _TEXTS,
        "mentions": pyarrow.list_(pyarrow.int32()),
        "denied_objects": _TEXTS,
        "other_names": _TEXTS,
        "remark": pyarrow.string(),
    },
    "propose": {"negative_objects": _TEXTS, "risks": pyarrow.list_(pyarrow.float64())},
    "verify": {"checked_by": pyarrow.string(), "boxes": pyarrow.list_(_BOX)},
}
STAGES = tuple(COLUMNS_OF_STAGE)
COUNTING_STAGES = ("propose",)  # each shard depends on all shards of the stage before
StageRow = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """Which shards this process makes: those whose number is `index` modulo `count`."""

    index: int = 0
    count: int = 1

    def has(self, shard: int) -> bool:
        """Whether this process makes a shard."""
        return shard % self.count == self.index


def parse_share(text: str) -> Share:
    """The share of "I/N", counted from 0, such as 0/4; raises ValueError for anything else."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ValueError(f"{text!r} is not I/N with I from 0 to N - 1, such as 0/4")
    return Share(int(index), int(count))


def stage_columns(stage: str) -> dict[str, pyarrow.DataType]:
    """The columns of a stage's table."""
    columns: dict[str, pyarrow.DataType] = {}
    for name in STAGES[: STAGES.index(stage) + 1]:
        columns |= COLUMNS_OF_STAGE[name]
    return columns


def shard_path(out: epath.PathLike, stage: str, shard: int) -> epath.Path:
    """The file of a shard."""
    return to_path(out) / stage / f"{shard:05d}.parquet"


def write_shard(path: epath.Path, rows: Sequence[StageRow], stage: str, origin: str) -> None:
    """Writes the rows of a shard and the record of its origin, in place of those that there are."""
    schema = pyarrow.schema(list(stage_columns(stage).items()))
    buffer = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), buffer, compression="zstd")
    content = buffer.getvalue().to_pybytes()
    # In this order, so that a process killed in between leaves no shard whose record is of another.
    path.unlink(missing_ok=True)
    record = {"origin": origin, "sha256": hashlib.sha256(content).hexdigest()}
    write_atomic(_record_path(path), json.dumps(record, indent=1))
    write_atomic(path, content)


def is_to_make(path: epath.Path, origin: str) -> bool:
    """Whether a shard is missing or was made of something else.

    Raises:
        NegjaxError: it was made of something else, and edited since.
    """
    if not path.exists():
        return True
    if _is_of(path, origin):
        return False
    if _read_record(path).get("sha256") != file_sha256(path):
        raise NegjaxError(
            f"{path} was edited, and the flags or files that it was made with have changed since: to have it made "
            "again, delete it; to keep it, give another --out"
        )
    return True


def _is_of(path: epath.Path, origin: str) -> bool:
    return _read_record(path).get("origin") == origin


def _record_path(path: epath.Path) -> epath.Path:
    return path.parent / f"{path.stem}.json"


def _read_record(path: epath.Path) -> dict[str, str]:
    record = _record_path(path)
    return json.loads(record.read_text()) if record.exists() else {}


def read_shard(path: epath.Path, stage: str) -> list[StageRow]:
    """Reads the rows of a shard; raises NegjaxError if it is damaged, or was edited such that columns are missing."""
    try:
        with path.open("rb") as file:
            table = pyarrow.parquet.read_table(file)
        return table.select(list(stage_columns(stage))).cast(pyarrow.schema(stage_columns(stage).items())).to_pylist()
    except (pyarrow.ArrowException, OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NegjaxError(
            f"{path}: not a shard of stage {stage} ({reason}): delete it and run the stage again"
        ) from error


def start_stage(out: epath.PathLike, stage: str, settings: Mapping[str, Any]) -> None:
    """Writes the settings of a stage: its shards that were made with other ones no longer count."""
    path, text = _settings_path(out, stage), json.dumps(settings, indent=1, sort_keys=True)
    if path.exists() and path.read_text() == text:
        return
    if stage == STAGES[0]:
        _facts_path(out).unlink(missing_ok=True)  # how many shards another input makes is not known yet
    write_atomic(path, text)


def _settings_path(out: epath.PathLike, stage: str) -> epath.Path:
    return to_path(out) / stage / "settings.json"


def shard_origin(settings: Mapping[str, Any], inputs: Sequence[str] = ()) -> str:
    """The digest of what a shard is made of: the stage's settings, and the sha256 of files of the stage before."""
    return hashlib.sha256(json.dumps([settings, list(inputs)], sort_keys=True).encode()).hexdigest()


def _origins(out: epath.PathLike, stage: str) -> list[str]:
    """The origin of each shard of a stage, by its settings and the files that there are now."""
    path = _settings_path(out, stage)
    settings = json.loads(path.read_text()) if path.exists() else {}
    if stage == STAGES[0]:
        return [shard_origin(settings)] * read_input_facts(out)["shards"]
    return _origins_with(out, stage, settings)


def _origins_with(out: epath.PathLike, stage: str, settings: Mapping[str, Any]) -> list[str]:
    """The origin of each shard of a stage, not the first one, with some settings."""
    inputs = [file_sha256(path) for path in complete_shards(out, STAGES[STAGES.index(stage) - 1])]
    if stage in COUNTING_STAGES:
        return [shard_origin(settings, inputs)] * len(inputs)
    return [shard_origin(settings, [digest]) for digest in inputs]


def count_kept(out: epath.PathLike, stage: str, settings: Mapping[str, Any]) -> int:
    """The number of shards that would be kept if a stage ran with these settings; nothing is written."""
    paths = sorted((to_path(out) / stage).glob("*.parquet"))
    if stage == STAGES[0]:
        return sum(_is_of(path, shard_origin(settings)) for path in paths)
    try:
        origins = _origins_with(out, stage, settings)
    except NegjaxError:  # the stage before has not ended
        return 0
    return sum(_is_of(path, origin) for path, origin in zip(paths, origins))


def rows_to_make(
    out: epath.PathLike, stage: str, settings: Mapping[str, Any], share: Share
) -> Iterator[list[StageRow]]:
    """The rows of the stage before, of the shards that `map_stage` would make; nothing is written."""
    before = STAGES[STAGES.index(stage) - 1]
    for shard, (path, origin) in enumerate(zip(complete_shards(out, before), _origins_with(out, stage, settings))):
        if share.has(shard) and is_to_make(shard_path(out, stage, shard), origin):
            yield read_shard(path, before)


def _facts_path(out: epath.PathLike) -> epath.Path:
    return to_path(out) / STAGES[0] / "input.json"


def finish_input(out: epath.PathLike, facts: Mapping[str, Any]) -> None:
    """Writes how many shards the input makes, and what is to be told about it."""
    write_atomic(_facts_path(out), json.dumps(facts, indent=1, sort_keys=True))


def read_input_facts(out: epath.PathLike) -> dict[str, Any]:
    """What `finish_input` wrote; raises NegjaxError if the first stage did not end."""
    path = _facts_path(out)
    if not path.exists():
        raise NegjaxError(f"{out}: stage extract has not ended: run negjax synth extract first")
    return json.loads(path.read_text())


def complete_shards(out: epath.PathLike, stage: str) -> list[epath.Path]:
    """The files of a stage that ended; raises NegjaxError if some are missing, or of another origin than now."""
    count = read_input_facts(out)["shards"]
    paths = [shard_path(out, stage, shard) for shard in range(count)]
    if missing := [path for path in paths if not path.exists()]:
        raise NegjaxError(
            f"{out}: stage {stage} has made {count - len(missing)} of {count} shards: run negjax synth {stage} first"
            ", for all of --shard I/N"
        )
    if stale := [path for path, origin in zip(paths, _origins(out, stage)) if not _is_of(path, origin)]:
        raise NegjaxError(
            f"{out}: {len(stale)} of {count} shards of stage {stage} were made with other flags, or of files that have "
            f"changed since: run negjax synth {stage} again, for all of --shard I/N"
        )
    return paths


@dataclass(frozen=True)
class StageJob:
    """A shard to make from that of the stage before; can be pickled.

    Attributes:
        stage: the stage.
        source: the file of the stage before.
        target: the file to write.
        origin: what it is made of.
    """

    stage: str
    source: str
    target: str
    origin: str

    def run(self, change: Callable[[list[StageRow]], Iterable[StageRow]]) -> None:
        """Makes the shard. change: makes its rows from those of the stage before; a pure function."""
        rows = read_shard(epath.Path(self.source), STAGES[STAGES.index(self.stage) - 1])
        write_shard(epath.Path(self.target), list(change(rows)), self.stage, self.origin)


def start_jobs(out: epath.PathLike, stage: str, settings: Mapping[str, Any], share: Share = Share()) -> list[StageJob]:
    """Starts a stage and lists its shards that are to be made: those that do not exist, or are of another origin.

    Args:
        out: the folder of all stages.
        stage: the stage, not the first one.
        settings: what its rows depend on beside their input.
        share: which shards this process makes.

    Raises:
        NegjaxError: the stage before has not ended, or a shard was edited and is of another origin.
    """
    sources = complete_shards(out, STAGES[STAGES.index(stage) - 1])
    start_stage(out, stage, settings)
    targets = [shard_path(out, stage, shard) for shard in range(len(sources))]
    jobs = zip(sources, targets, _origins(out, stage))
    return [
        StageJob(stage, str(source), str(target), origin)
        for shard, (source, target, origin) in enumerate(jobs)
        if share.has(shard) and is_to_make(target, origin)
    ]


def map_stage(
    out: epath.PathLike,
    stage: str,
    settings: Mapping[str, Any],
    share: Share,
    change: Callable[[list[StageRow]], Iterable[StageRow]],
    progress: bool,
) -> None:
    """Runs a stage; arguments and errors as in `start_jobs` and `StageJob.run`."""
    jobs = start_jobs(out, stage, settings, share)
    with track_progress(len(jobs), stage, progress) as advance:
        for job in jobs:
            job.run(change)
            advance(1)


def read_stage(out: epath.PathLike, stage: str) -> Iterator[StageRow]:
    """All rows of a stage that ended, in order."""
    for path in complete_shards(out, stage):
        yield from read_shard(path, stage)
