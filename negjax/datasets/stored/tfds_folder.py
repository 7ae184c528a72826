"""Opening a folder that TFDS wrote, without the code that it may name.

TFDS imports the module of every feature class that features.json or dataset_info.json names. Sets travel between
people, so only TFDS's own classes are accepted, and the files are checked before TFDS reads them.
"""

import json
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path

FILES_WITH_CLASSES = ("features.json", "dataset_info.json")
CLASS_KEYS = ("pythonClassName", "python_class_name", "type")  # the last one as TFDS wrote it until 2021
OWN_CLASSES = {f"{cls.__module__}.{cls.__name__}" for cls in vars(tfds.features).values() if isinstance(cls, type)}


def open_builder(folder: epath.PathLike) -> tfds.core.DatasetBuilder:
    """TFDS's builder of a prepared data set, which is read-only.

    Raises:
        NegjaxError: a file names a feature class that is not TFDS's own.
        Exception: of many types, for folders that hold no data set or a damaged one.
    """
    for name in FILES_WITH_CLASSES:
        path = to_path(folder, "--tfds") / name
        if not path.exists():
            continue
        for class_name in _class_names(parse_json(path.read_text())):
            if class_name not in OWN_CLASSES:
                raise NegjaxError(
                    f"{path} names the feature class {class_name[:80]!r}, which is not one of TFDS's own: it would run "
                    "code that came with the set"
                )
    return tfds.builder_from_directory(folder)


def _class_names(value: Any) -> Iterator[str]:
    """The names of classes in a JSON value, also in texts that hold JSON."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key in CLASS_KEYS and isinstance(entry, str) and (key != "type" or "." in entry):
                yield entry
            yield from _class_names(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _class_names(entry)
    elif isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            json.loads(value)
        except (ValueError, RecursionError):  # a text, or JSON that TFDS cannot read either
            return
        yield from _class_names(parse_json(value))
