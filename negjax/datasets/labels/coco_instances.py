"""COCO's instances_*.json: boxes of objects of 80 categories, complete for these categories.

{"images": [{"id", "file_name", ...}, ...], "annotations": [{"image_id", "category_id", ...}, ...],
"categories": [{"id", "name", ...}, ...]}; an image without annotations holds none of the categories.
Source: cocodataset.org, Data format.
"""

from collections.abc import Mapping
from typing import Any

from etils import epath

from negjax.datasets.labels.image_labels import ImageLabels, LabelFile
from negjax.datasets.sources.table_file import file_sha256
from negjax.errors import NegjaxError, naming_malformed

INSTANCE_KEYS = {"images", "annotations", "categories"}


def read_coco_instances(path: epath.PathLike, content: Mapping[str, Any]) -> LabelFile:
    """Reads the labels of a file.

    Args:
        path: the file.
        content: what it holds, an object with INSTANCE_KEYS.

    Raises:
        NegjaxError: the file is malformed or lists an image twice.
    """
    malformed: list[str] = []
    with naming_malformed(path):
        files = {image["id"]: image["file_name"] for image in content["images"]}
        if len(files) < len(content["images"]):
            raise NegjaxError(
                f"{path} lists {len(content['images']) - len(files)} images twice, by their id: correct it"
            )
        if len(set(files.values())) < len(files):
            raise NegjaxError(
                f"{path} has {len(files) - len(set(files.values()))} images of the file of another: correct it"
            )
        names = {category["id"]: category["name"].strip().lower() for category in content["categories"]}
        present: dict[str, dict[str, None]] = {file: {} for file in files.values()}
        for number, annotation in enumerate(content["annotations"]):
            file, name = files.get(annotation["image_id"]), names.get(annotation["category_id"])
            if file is None or name is None:
                what = f"image {annotation['image_id']}" if file is None else f"category {annotation['category_id']}"
                malformed.append(f"{path} annotation {number} is of {what}, which the file does not list")
                continue
            present[file][name] = None
    if content["annotations"] and len(malformed) == len(content["annotations"]):
        raise NegjaxError(f"{path}: no annotation is of an image and a category that the file lists: {malformed[0]}")
    images = {file: ImageLabels(tuple(found)) for file, found in present.items()}
    return LabelFile(path, file_sha256(path), images, malformed=tuple(malformed))
