"""The ways to name a source to `negjax data build`: the flags, what each needs, and how it is opened.

The flags and the help of the command, and the sets of a suite, follow from SOURCE_FLAGS. A new file type is one file
with a function that makes a `RowSource`, and one entry here; a new benchmark of a known type is a line in `table`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.sources.coco_captions import TITLE
from negjax.datasets.sources.json_files import json_source
from negjax.datasets.sources.rows import RowSource
from negjax.datasets.sources.table import JSON_BENCHMARKS, TABLE_KINDS
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.sources.webdataset import webdataset_source
from negjax.errors import NegjaxError


@dataclass(frozen=True)
class SourceRequest:
    """The flags of `negjax data build` that describe a source. path: the value of the flag that names it."""

    kind: str
    path: str
    media_root: str = ""
    split: str = ""
    classnames: str | None = None
    templates: str = "openai"
    shard_rows: int = 0
    csv_separator: str = ","


@dataclass(frozen=True)
class SourceFlag:
    """A way to name a source.

    Attributes:
        name: The flag, without dashes.
        metavar: Stands for its value in the help.
        help: Its help.
        kinds: The values of `--kind` that it supports.
        open: Makes the source.
        needs: Flags that must be given too, as attributes of SourceRequest.
        allows: Further flags that may be given.
        training_only: Whether only training sets are built from it.
    """

    name: str
    metavar: str
    help: str
    kinds: tuple[str, ...]
    open: Callable[[SourceRequest], RowSource]
    needs: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()
    training_only: bool = False


JSON_TITLES = (TITLE, *(benchmark.title for benchmark in JSON_BENCHMARKS))


def _open_json(request: SourceRequest) -> RowSource:
    source = json_source(request.path, request.media_root, request.split, request.shard_rows)
    if source.kind != request.kind:
        raise NegjaxError(f"{request.path} is of --kind {source.kind}, not of --kind {request.kind}")
    return source


def _open_tfds(request: SourceRequest) -> RowSource:
    from negjax.datasets.sources.tfds_datasets import tfds_source  # slow to import

    return tfds_source(request.path, request.split, request.classnames, request.templates)


SOURCE_FLAGS = (
    SourceFlag(
        name="csv",
        metavar="FILE",
        help="a table: CSV, Parquet or JSON lines; captions, negcap and questions as NegBench has them",
        kinds=TABLE_KINDS,
        open=lambda request: table_source(
            request.kind, request.path, request.media_root, request.shard_rows, request.csv_separator
        ),
        needs=("media_root",),
        allows=("train", "csv_separator"),
    ),
    SourceFlag(
        name="json",
        metavar="FILE",
        help=f"a JSON file of {', '.join(JSON_TITLES)}, as published",
        kinds=tuple(dict.fromkeys(("captions", *(benchmark.kind for benchmark in JSON_BENCHMARKS)))),
        open=_open_json,
        needs=("media_root",),
        allows=("split", "train"),
    ),
    SourceFlag(
        name="folder",
        metavar="DIR",
        help="a folder that holds a folder of images per class",
        kinds=("folder",),
        open=lambda request: folder_source(request.path, request.classnames, request.templates),
        allows=("classnames", "templates"),
    ),
    SourceFlag(
        name="tfds",
        metavar="DIR",
        help="a data set prepared by TFDS, .../NAME/VERSION; needs --split",
        kinds=("folder",),
        open=_open_tfds,
        needs=("split",),
        allows=("classnames", "templates"),
    ),
    SourceFlag(
        name="webdataset",
        metavar="FILES",
        help="WebDataset shards, 'DIR/*.tar' or 'DIR/{000..010}.tar' in quotes, or img2dataset's folder, for training",
        kinds=TABLE_KINDS,
        open=lambda request: webdataset_source(request.kind, request.path, request.shard_rows),
        allows=("train",),
        training_only=True,
    ),
)
