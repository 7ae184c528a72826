"""The files of a stage: a Parquet file a shard, written whole, and settings that a resumed run must share.

OUT/STAGE/00000.parquet, 00001.parquet, ... and OUT/STAGE/settings.json. A shard that exists is complete; what it holds
depends on its input and the settings alone, so that any number of processes write the same bytes.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.parquet
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.files import open_atomic, write_atomic
from negjax.runtime.paths import to_path
from negjax.runtime.progress import track_progress

IMAGES_PER_SHARD = 2_000
_TEXTS = pyarrow.list_(pyarrow.string())
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
    "verify": {"checked_by": pyarrow.string()},
}
STAGES = tuple(COLUMNS_OF_STAGE)
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


def write_shard(path: epath.Path, rows: Sequence[StageRow], stage: str) -> None:
    """Writes the rows of a shard."""
    schema = pyarrow.schema(list(stage_columns(stage).items()))
    with open_atomic(path) as file:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), file, compression="zstd")


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
    """Writes the settings of a stage.

    Raises:
        NegjaxError: the stage was begun with other settings.
    """
    path = to_path(out) / stage / "settings.json"
    text = json.dumps(settings, indent=1, sort_keys=True)
    if not path.exists():
        write_atomic(path, text)
    elif (earlier := json.loads(path.read_text())) != json.loads(text):
        changed = [name for name in settings if earlier.get(name) != settings[name]] or sorted(earlier)
        raise NegjaxError(
            f"{path.parent} was made with another {', '.join(changed)}: delete this folder and those of later "
            "stages, or give another --out"
        )


def finish_input(out: epath.PathLike, facts: Mapping[str, Any]) -> None:
    """Writes how many shards the input makes, and what is to be told about it."""
    write_atomic(to_path(out) / "extract" / "input.json", json.dumps(facts, indent=1, sort_keys=True))


def read_input_facts(out: epath.PathLike) -> dict[str, Any]:
    """What `finish_input` wrote; raises NegjaxError if the first stage did not end."""
    path = to_path(out) / "extract" / "input.json"
    if not path.exists():
        raise NegjaxError(f"{out}: stage extract has not ended: run negjax synth extract first")
    return json.loads(path.read_text())


def complete_shards(out: epath.PathLike, stage: str) -> list[epath.Path]:
    """The files of a stage that ended; raises NegjaxError if some are missing."""
    count = read_input_facts(out)["shards"]
    paths = [shard_path(out, stage, shard) for shard in range(count)]
    if missing := [path for path in paths if not path.exists()]:
        raise NegjaxError(
            f"{out}: stage {stage} has made {count - len(missing)} of {count} shards: run negjax synth {stage} first"
            ", for all of --shard I/N"
        )
    return paths


def map_stage(
    out: epath.PathLike,
    stage: str,
    settings: Mapping[str, Any],
    share: Share,
    change: Callable[[list[StageRow]], Iterable[StageRow]],
    progress: bool,
) -> None:
    """Runs a stage: its shards that this process makes and that do not exist yet.

    Args:
        out: the folder of all stages.
        stage: the stage, not the first one.
        settings: what its rows depend on beside their input.
        share: which shards this process makes.
        change: makes the rows of a shard from those of the stage before; a pure function.
        progress: whether to show progress.
    """
    before = STAGES[STAGES.index(stage) - 1]
    paths = complete_shards(out, before)
    start_stage(out, stage, settings)
    with track_progress(len(paths), stage, progress) as advance:
        for shard, path in enumerate(paths):
            target = shard_path(out, stage, shard)
            if share.has(shard) and not target.exists():
                write_shard(target, list(change(read_shard(path, before))), stage)
            advance(1)


def read_stage(out: epath.PathLike, stage: str) -> Iterator[StageRow]:
    """All rows of a stage that ended, in order."""
    for path in complete_shards(out, stage):
        yield from read_shard(path, stage)
