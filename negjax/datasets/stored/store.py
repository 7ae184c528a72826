"""The sets of a folder: DATA_DIR/NAME/1.0.0 is one TFDS data set as ArrayRecord, rows in the source's order.

Plain TFDS reads them too: `tfds.builder_from_directory("DATA_DIR/NAME/1.0.0").as_data_source(split="all")`.
"""

import difflib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.datasets.records import COLUMNS
from negjax.datasets.stored.reading import VERSION, StoredSet
from negjax.datasets.stored.writing import SetSpec, finish, shard_path, write_shard
from negjax.datasets.task_kinds import TASK_KINDS
from negjax.errors import NegjaxError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
MEDIA_TYPES = ("image", "video")


@dataclass(frozen=True)
class Listed:
    """A line of `negjax data list`; `bytes` is the size of the records."""

    name: str
    n: int
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
    """Writes a set, all or nothing, and returns its folder, DATA_DIR/NAME.

    examples: called once; each thing it yields is a row, with `media` an encoded image, or a clip where the
    metadata say so; see `records.complete` for the other columns and their defaults.
    fields: keys of `records.COLUMNS`.
    metadata: JSON-able; `task_kind` (a key of TASK_KINDS) and `negated` at least, `media_type` "video" for clips,
    `altered` when the media are not the source's own ("resized to 32"), `classnames` and `templates` for labels.
    on_row: called after each row.
    overwrite: replace a set of that name, once the new one is whole.
    Raises NegjaxError when the name is taken, a row is not valid, or the folder cannot be written to.
    """
    folder = check_free(data_dir, name, overwrite=overwrite)
    _check_metadata(name, fields, metadata)
    workplace = epath.Path(data_dir) / f"{name}.incomplete-{uuid.uuid4().hex[:8]}"
    said = {"altered": "", "media_type": "image", "tokenizer": "clip", **metadata, "fields": list(fields)}
    try:
        workplace.mkdir(parents=True)
        form = SetSpec(name, tuple(fields), said)
        finish(workplace, form, [write_shard(shard_path(workplace, name, 0, 1), form, examples(), on_row)])
        if folder.exists():
            folder.rename(workplace / "replaced")
        (workplace / name).rename(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError is what ArrayRecord raises for a full disk
        raise NegjaxError(f"cannot write set {name} in {data_dir}: {error}") from error
    finally:
        if workplace.exists():
            workplace.rmtree()
    return folder


def open_set(data_dir: epath.PathLike, name: str) -> StoredSet:
    """Raises NegjaxError when there is no set of that name, or it is not whole. In data_dir ~ is the home folder."""
    data_dir = epath.Path(data_dir).expanduser()
    names = set_names(data_dir)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise NegjaxError(f"no set called {name} in {data_dir}{hint}; there are: {', '.join(names) or 'none'}")
    return StoredSet(data_dir, name)


def list_sets(data_dir: epath.PathLike) -> list[Listed]:
    """The sets below data_dir. Raises NegjaxError when there is no such folder or a set is damaged."""
    if not epath.Path(data_dir).is_dir():
        raise NegjaxError(f"no folder {data_dir}: give the --data-dir that sets were built in")
    sets = [StoredSet(data_dir, name) for name in set_names(data_dir)]
    return [
        Listed(data.name, len(data), data.metadata["task_kind"], data.metadata["negated"], data.bytes) for data in sets
    ]


def set_names(data_dir: epath.PathLike) -> list[str]:
    """Names of the sets below data_dir; what an interrupted build left behind is none."""
    folder = epath.Path(data_dir)
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name) and (path / VERSION).is_dir())


def check_free(data_dir: epath.PathLike, name: str, *, overwrite: bool) -> epath.Path:
    """The folder that a new set of this name goes to. Raises NegjaxError when it cannot go there."""
    if not NAME.fullmatch(name):
        raise NegjaxError(
            f"{name!r} cannot name a set: use up to 100 letters, digits, _ and -, not beginning with _ or -"
        )
    folder = epath.Path(data_dir) / name
    if folder.exists() and name not in set_names(data_dir):
        raise NegjaxError(f"{folder} exists and is not a set: choose another name")
    if folder.exists() and not overwrite:
        raise NegjaxError(f"{folder} exists already: choose another name, or --overwrite it")
    return folder


def _check_metadata(name: str, fields: Sequence[str], metadata: Mapping[str, Any]) -> None:
    kind = metadata.get("task_kind")
    if kind not in TASK_KINDS:
        raise NegjaxError(f"set {name}: task_kind is {kind!r}, not one of {', '.join(TASK_KINDS)}")
    if not isinstance(metadata.get("negated"), bool):
        raise NegjaxError(f"set {name}: say in its metadata whether it is negated, True or False")
    if unknown := set(fields) - set(COLUMNS):
        raise NegjaxError(f"set {name}: no such field: {', '.join(sorted(unknown))}; there are {', '.join(COLUMNS)}")
    if metadata.get("media_type", "image") not in MEDIA_TYPES:
        raise NegjaxError(f"set {name}: media_type is {metadata['media_type']!r}, not image or video")
    if not set(TASK_KINDS[kind].fields) & set(fields):
        raise NegjaxError(f"set {name}: fields {list(fields)} are not enough for task_kind {kind}")
    if "label" in fields and not (metadata.get("classnames") and metadata.get("templates")):
        raise NegjaxError(f"set {name}: labels need classnames and templates in the metadata")
