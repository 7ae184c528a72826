"""Opens labels by their form: COCO's instances, a folder of Pascal VOC's XML, CheXpert's CSV, a column of a table."""

from dataclasses import dataclass
from typing import Literal

from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.datasets.labels.chexpert import FINDINGS, read_chexpert
from negjax.datasets.labels.coco_instances import INSTANCE_KEYS, read_coco_instances
from negjax.datasets.labels.image_labels import ImageLabels, LabelFile
from negjax.datasets.labels.voc import read_voc
from negjax.datasets.sources.cells import objects
from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.table_file import TableFile, file_sha256
from negjax.datasets.sources.table_formats import open_table
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path
from negjax.runtime.regular import read_regular

Meaning = Literal["unknown", "present", "absent"]
MEANINGS: tuple[Meaning, ...] = ("unknown", "present", "absent")
FORMS = (
    "COCO's instances_*.json, a folder of Pascal VOC's XML files, CheXpert's CSV, or a table with the columns filepath "
    "and positive_objects"
)


@dataclass(frozen=True)
class LabelReading:
    """How labels that are neither yes nor no are read; they occur in CheXpert's CSV alone.

    Attributes:
        uncertain: what a finding marked -1 counts as.
        blank: what a finding without a mark counts as.
    """

    uncertain: Meaning = "unknown"
    blank: Meaning = "unknown"

    def __post_init__(self) -> None:
        for flag, value in (("uncertain", self.uncertain), ("blank", self.blank)):
            if value not in MEANINGS:
                raise NegjaxError(f"--{flag} {value}: choose one of {', '.join(MEANINGS)}")
        if self.blank == "present":
            raise NegjaxError("--blank present: a finding that is not mentioned is unknown or absent")


def read_labels(path: epath.PathLike, reading: LabelReading = LabelReading()) -> LabelFile:
    """Reads labels of any of the FORMS.

    Args:
        path: the file or folder.
        reading: how labels that are neither yes nor no are read.

    Returns:
        The labels; malformed parts are left out and listed.

    Raises:
        NegjaxError: it is of none of the forms, or holds nothing usable.
    """
    if to_path(path, "--labels").is_dir():
        labels = read_voc(path)
    elif _is_json(path):
        try:
            content = parse_json(read_regular(path).decode("utf-8-sig"))
        except ValueError as error:
            raise NegjaxError(f"--labels {path} cannot be read as JSON ({error}): give {FORMS}") from error
        if not isinstance(content, dict) or not content.keys() >= INSTANCE_KEYS:
            raise NegjaxError(f"--labels {path} has not the keys {', '.join(sorted(INSTANCE_KEYS))}: give {FORMS}")
        labels = read_coco_instances(path, content)
    else:
        table = open_table(path)
        is_chexpert = len(FINDINGS.keys() & set(table.columns)) > 1 and "positive_objects" not in table.columns
        labels = read_chexpert(table, reading.uncertain, reading.blank) if is_chexpert else _read_column(table)
    if not labels.images:
        first = f"; the first fault: {labels.malformed[0]}" if labels.malformed else ""
        raise NegjaxError(f"--labels {path} has no labelled image{first}: give {FORMS}")
    return labels


def _is_json(path: epath.PathLike) -> bool:
    """Whether a file is one JSON document: by its first line, which in JSON lines is an object of its own."""
    if not str(path).lower().endswith(".json"):
        return False
    with to_path(path).open("rb") as file:
        first = file.readline(1 << 20).removeprefix(b"\xef\xbb\xbf").strip()
    try:
        return "filepath" not in parse_json(first)
    except (ValueError, TypeError):
        return True


def _read_column(table: TableFile) -> LabelFile:
    """Complete labels from the column positive_objects; the rows of an image are put together.

    An image of which a row is malformed is left out: its other rows are not all of its labels.
    """
    if "positive_objects" not in table.columns:
        columns = ", ".join(table.columns)[:200]
        raise NegjaxError(f"--labels {table.path} has no column positive_objects; it has: {columns}; give {FORMS}")
    names: dict[str, list[str]] = {}
    malformed: list[str] = []
    incomplete: set[str] = set()
    for start, row in table.rows():
        path = plain_path(table.media_path(row).strip())
        try:
            if path == ".":
                raise ValueError("column filepath is empty")
            listed = objects(table.cells(row), "positive_objects")
        except ValueError as error:
            malformed.append(f"{table.path} {start}: {error}")
            incomplete.add(path)
            continue
        names.setdefault(path, []).extend(listed)
    images = {path: ImageLabels(tuple(dict.fromkeys(names[path]))) for path in names if path not in incomplete}
    return LabelFile(table.path, file_sha256(table.path), images, malformed=tuple(malformed))
