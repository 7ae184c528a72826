"""The data folder: DATA_DIR/NAME/1.0.0 is one set, a TFDS data set as ArrayRecord with its rows in the source's order.

Plain TFDS reads them too: `tfds.builder_from_directory("DATA_DIR/NAME/1.0.0").as_data_source(split="all")`.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.datasets.records import COLUMNS
from negjax.datasets.stored.stored_set import VERSION, StoredSet
from negjax.datasets.stored.writing import SetSpec, finish_set, shard_path, write_shard
from negjax.datasets.task_kinds import TASK_KINDS
from negjax.errors import NegjaxError
from negjax.runtime.locks import lock_folder
from negjax.runtime.paths import to_path
from negjax.runtime.temporary import remove_abandoned, temporary_beside

SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
PLAN_FILE = "plan.json"  # in NAME.building: describes the unfinished build of a training set
_DAY = 24 * 3600  # seconds
MEDIA_TYPES = ("image", "video")


@dataclass(frozen=True)
class SetSummary:
    """A line of `negjax data list`.

    Attributes:
        name: Name of the set.
        rows: Number of records.
        task_kind: Task kind, a key of TASK_KINDS.
        negated: Whether its texts negate.
        bytes: Size of the records in bytes.
    """

    name: str
    rows: int
    task_kind: str
    negated: bool
    bytes: int


def write_set(
    data_dir: epath.PathLike,
    name: str,
    examples: Callable[[], Iterator[Mapping[str, Any]]],
    fields: Sequence[str],
    metadata: Mapping[str, Any],
    on_row: Callable[[], object] | None = None,
    *,
    overwrite: bool = False,
) -> epath.Path:
    """Writes a set, all or nothing.

    Args:
        data_dir: The data folder.
        name: Name of the set.
        examples: Called once. Each mapping it yields is a row, with `media` an encoded image, or a clip for
            `media_type` "video"; see `records.complete_record` for the other columns and their defaults.
        fields: Keys of `records.COLUMNS`.
        metadata: JSON-able; `task_kind` (a key of TASK_KINDS) and `negated` at least, `media_type` "video" for clips,
            `altered` if the media are not the source's own ("resized to 32"), `classnames` and `templates` for labels.
        on_row: Called after each row.
        overwrite: Replace a set of this name, once the new one is complete.

    Returns:
        The set's folder, DATA_DIR/NAME.

    Raises:
        NegjaxError: The name is taken, another process builds a set of this name, a row is invalid, or the folder
            cannot be written to.
    """
    folder = check_free(data_dir, name, overwrite=overwrite)
    _check_metadata(name, fields, metadata)
    defaults = {"altered": "", "media_type": "image", "tokenizer": "clip"}
    spec = SetSpec(name, tuple(fields), {**defaults, **metadata, "fields": list(fields)})
    try:
        with claim_name(data_dir, name, overwrite=overwrite) as claimed:
            if (claimed / PLAN_FILE).exists():
                raise NegjaxError(
                    f"{claimed} holds an unfinished build of a training set: resume it, delete the folder, or choose "
                    "another name"
                )
            try:
                with temporary_beside(claimed / name, folder=True) as workspace:
                    shard = write_shard(shard_path(workspace, name, 0, 1), spec, examples(), on_row)
                    finish_set(workspace, spec, [shard])
                    if folder.exists():
                        folder.rename(workspace / "replaced")
                    (workspace / name).rename(folder)
            finally:
                claimed.rmtree()
    except (OSError, RuntimeError) as error:  # RuntimeError is what ArrayRecord raises for a full disk
        raise NegjaxError(f"cannot write set {name} in {data_dir}: {error}") from error
    return folder


@contextmanager
def claim_name(data_dir: epath.PathLike, name: str, *, overwrite: bool) -> Iterator[epath.Path]:
    """Keeps other processes from building a set of this name while the block runs.

    Args:
        data_dir: The data folder.
        name: Name of the new set.
        overwrite: As in `check_free`.

    Yields:
        The folder DATA_DIR/NAME.building, which is locked.

    Raises:
        NegjaxError: Another process builds a set of this name, or the name is taken.
    """
    workspace = to_path(data_dir) / f"{name}.building"
    workspace.mkdir(parents=True, exist_ok=True)
    with lock_folder(workspace, f"{workspace} is in use: another build of this set is running"):
        check_free(data_dir, name, overwrite=overwrite)  # another build may just have ended
        # What killed builds of earlier versions left, which they did not lock.
        remove_abandoned(workspace.parent, re.escape(name) + r"\.incomplete-[0-9a-f]{8}", _DAY)
        yield workspace


def open_set(data_dir: epath.PathLike, name: str) -> StoredSet:
    """Opens a set.

    Args:
        data_dir: The data folder; ~ stands for the home folder.
        name: Name of the set.

    Raises:
        NegjaxError: There is no set of that name, or it is damaged.
    """
    data_dir = to_path(data_dir)
    names = set_names(data_dir)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise NegjaxError(f"set {name} not found in {data_dir}{hint}; choose one of {', '.join(names) or '(none)'}")
    return StoredSet(data_dir, name)


def list_sets(data_dir: epath.PathLike) -> list[SetSummary]:
    """Lists the sets of a data folder; raises NegjaxError if the folder does not exist or a set is damaged."""
    if not to_path(data_dir).is_dir():
        raise NegjaxError(f"folder {data_dir} not found: give the --data-dir that sets were built in")
    sets = [StoredSet(data_dir, name) for name in set_names(data_dir)]
    return [
        SetSummary(data.name, len(data), data.metadata["task_kind"], data.metadata["negated"], data.bytes)
        for data in sets
    ]


def set_names(data_dir: epath.PathLike) -> list[str]:
    """The names of the sets of a data folder, sorted; leftovers of interrupted builds are ignored."""
    folder = to_path(data_dir)
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if SET_NAME.fullmatch(path.name) and (path / VERSION).is_dir())


def check_free(data_dir: epath.PathLike, name: str, *, overwrite: bool) -> epath.Path:
    """Checks that a new set can be written.

    Args:
        data_dir: The data folder.
        name: Name of the new set.
        overwrite: Whether it may replace a set of this name.

    Returns:
        The folder of the new set.

    Raises:
        NegjaxError: The name is malformed or taken.
    """
    if not SET_NAME.fullmatch(name):
        raise NegjaxError(
            f"{name!r} cannot name a set: use up to 100 letters, digits, _ and -, not beginning with _ or -"
        )
    folder = to_path(data_dir) / name
    if folder.exists() and name not in set_names(data_dir):
        raise NegjaxError(f"{folder} exists and is not a set: choose another name")
    if folder.exists() and not overwrite:
        raise NegjaxError(f"{folder} exists already: choose another name, or --overwrite it")
    return folder


def _check_metadata(name: str, fields: Sequence[str], metadata: Mapping[str, Any]) -> None:
    """Raises NegjaxError unless the metadata are complete, and fit the fields."""
    kind = metadata.get("task_kind")
    if kind not in TASK_KINDS:
        raise NegjaxError(f"set {name}: unknown task_kind {kind!r}; choose one of {', '.join(TASK_KINDS)}")
    if not isinstance(metadata.get("negated"), bool):
        raise NegjaxError(f"set {name}: its metadata must say whether it is negated, as True or False")
    if unknown := sorted(set(fields) - set(COLUMNS)):
        raise NegjaxError(f"set {name}: unknown field {unknown[0]!r}; choose from {', '.join(COLUMNS)}")
    if metadata.get("media_type", "image") not in MEDIA_TYPES:
        types = ", ".join(MEDIA_TYPES)
        raise NegjaxError(f"set {name}: unknown media_type {metadata['media_type']!r}; choose one of {types}")
    if not set(TASK_KINDS[kind].fields) & set(fields):
        needed = " or ".join(TASK_KINDS[kind].fields)
        raise NegjaxError(f"set {name}: task_kind {kind} needs the field {needed}, not only {list(fields)}")
    if "label" in fields and not (metadata.get("classnames") and metadata.get("templates")):
        raise NegjaxError(f"set {name}: labels need classnames and templates in the metadata")
