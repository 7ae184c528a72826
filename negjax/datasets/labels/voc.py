"""Pascal VOC's annotations: a folder with an XML file an image, complete for its 20 classes.

<annotation> <filename>2007_000027.jpg</filename> <object> <name>person</name> ... </object> ... </annotation>
"""

import hashlib
import xml.etree.ElementTree as ElementTree

from etils import epath

from negjax.datasets.labels.image_labels import ImageLabels, LabelFile
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path
from negjax.runtime.regular import read_regular

# Class names that are two words.
WRITTEN_APART = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "tv monitor"}
MAX_XML_BYTES = 1 << 22


def read_voc(folder: epath.PathLike) -> LabelFile:
    """Reads the labels of a folder, of objects that are marked as difficult too: they are in the image.

    Args:
        folder: the folder of the XML files, "Annotations" in VOC.

    Returns:
        The labels by the file name of the image; files that cannot be read are listed as malformed.

    Raises:
        NegjaxError: there is no XML file.
    """
    paths = sorted(to_path(folder).glob("*.xml"))
    if not paths:
        raise NegjaxError(f"--labels {folder} has no .xml file: give the folder of VOC's Annotations")
    digest = hashlib.sha256()
    images: dict[str, ImageLabels] = {}
    malformed: list[str] = []
    for path in paths:
        try:
            content = read_regular(path, MAX_XML_BYTES)
            digest.update(f"{path.name} {hashlib.sha256(content).hexdigest()}\n".encode())
            image, names = _read_annotation(content)
        except (ValueError, NegjaxError) as error:
            malformed.append(f"{path}: {error}")
            continue
        if image in images:
            malformed.append(f"{path}: another file has labels of {image}")
            continue
        images[image] = ImageLabels(names)
    return LabelFile(folder, digest.hexdigest(), images, malformed=tuple(malformed))


def _read_annotation(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The file name of an image, and the names of its objects; raises ValueError if it is malformed."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("it declares entities, which annotations have no use for")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML ({error})") from error
    if root.tag != "annotation":
        raise ValueError(f"its root is <{root.tag[:40]}>, not <annotation>")
    image = (root.findtext("filename") or "").strip()
    if not image:
        raise ValueError("it has no <filename>")
    names = [(item.findtext("name") or "").strip().lower() for item in root.iter("object")]
    if "" in names:
        raise ValueError("an <object> has no <name>")
    return image, tuple(dict.fromkeys(WRITTEN_APART.get(name, name) for name in names))
