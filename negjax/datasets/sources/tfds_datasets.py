"""A data set prepared by TFDS as a source of labelled images, for zero-shot classification."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from negjax.datasets.sources.prompts import classification_metadata
from negjax.datasets.sources.rows import Row, RowSource, SkipRow
from negjax.datasets.stored.tfds_folder import open_builder
from negjax.errors import NegjaxError

PREPARE = "prepare it with tfds.builder(NAME, file_format='array_record', data_dir=DIR).download_and_prepare()"


def tfds_source(folder: epath.PathLike, split: str, classnames: str | None, templates: str) -> RowSource:
    """Opens a split of a TFDS data set with one Image and one ClassLabel feature.

    Args:
        folder: The prepared data set, .../NAME/VERSION.
        split: Name of the split.
        classnames: See `prompts.read_classnames`.
        templates: See `prompts.read_templates`.

    Raises:
        NegjaxError: The folder holds no such data set or split, it has other features, or only TensorFlow reads it.
    """
    try:
        builder = open_builder(folder)
    except NegjaxError:
        raise
    except Exception as error:  # TFDS, protobuf and json raise many types for other folders
        reason = " ".join(str(error).split())[:200]
        raise NegjaxError(f"{folder} holds no TFDS data set ({reason}): give .../NAME/VERSION") from error
    features, splits = builder.info.features or {}, list(builder.info.splits)
    image = _only_feature(features, tfds.features.Image, folder)
    label = _only_feature(features, tfds.features.ClassLabel, folder)
    if split not in splits:
        raise NegjaxError(f"unknown --split {split!r} of {folder}; choose one of {', '.join(splits) or '(none)'}")
    shard = TfdsShard(str(folder), split, image, label, int(builder.info.splits[split].num_examples))
    try:
        shard.open()
    except NotImplementedError as error:
        file_format = builder.info.file_format.value
        raise NegjaxError(f"{folder} is stored as {file_format}, which only TensorFlow reads: {PREPARE}") from error
    return RowSource(
        kind="folder",
        name=f"{folder} split {split}",
        file=f"{builder.info.full_name}:{split}",
        sha256=hashlib.sha256((epath.Path(folder) / "dataset_info.json").read_bytes()).hexdigest(),
        media_root=str(folder),
        fields=("label",),
        shards=(shard,),
        task_kind="zeroshot",
        negated=False,
        metadata=classification_metadata(features[label].names, classnames, templates),
    )


@dataclass(frozen=True)
class TfdsShard:
    """A split of a TFDS data set, of `rows` examples. image, label: the names of the two features."""

    folder: str
    split: str
    image: str
    label: str
    rows: int

    def open(self) -> Any:
        """TFDS's random-access source of the split, in which images stay encoded."""
        builder = open_builder(self.folder)
        return builder.as_data_source(split=self.split, decoders={self.image: tfds.decode.SkipDecoding()})

    def read(self, skip: SkipRow) -> Iterator[Row]:
        examples = self.open()
        classes = len(open_builder(self.folder).info.features[self.label].names)
        for index in range(len(examples)):
            label = int(examples[index][self.label])
            if not 0 <= label < classes:
                raise NegjaxError(
                    f"{self.folder} split {self.split}, row {index} has no label ({label}): choose a labelled split"
                )
            media = TfdsImage(examples, index, self.image)
            yield Row(index, str(index), {"id": index, "label": label}, media=media)


@dataclass(frozen=True)
class TfdsImage:
    """The encoded image of one example of a TFDS data source; feature: its name."""

    examples: Any
    index: int
    feature: str

    def read_bytes(self) -> bytes:
        return self.examples[self.index][self.feature]

    def __str__(self) -> str:
        return f"row {self.index}"


def _only_feature(features: Any, kind: type, folder: epath.PathLike) -> str:
    """The name of the only feature of this type."""
    names = [name for name, feature in features.items() if type(feature) is kind]
    if len(names) != 1:
        listed = ", ".join(f"{name} ({type(feature).__name__})" for name, feature in features.items())
        raise NegjaxError(
            f"{folder} must have one {kind.__name__} feature, it has {len(names)}; its features: {listed}"
        )
    return names[0]
