"""CheXpert's CSV: findings of chest X-rays, as a program read them from the reports.

Of each image and finding 1 says that the report affirms it, 0 that it denies it, -1 that it is uncertain, and a blank
that it does not mention it. A blank does not say that the finding is not there, so by default a finding that is blank
or uncertain is neither affirmed nor denied. "No Finding" is no finding: it says that none is affirmed or uncertain.
Source: arXiv 1901.07031, figure 1 and section 3.
"""

import hashlib
import math

from negjax.datasets.labels.image_labels import ImageLabels, LabelFile
from negjax.datasets.sources.cells import Cells, number, text
from negjax.datasets.sources.table_file import TableFile, file_sha256
from negjax.errors import NegjaxError

# Column -> what the finding is called in a sentence. "Pleural Other" is left out: "no other pleural abnormality" says
# nothing without the effusion that it is other than.
FINDINGS = {
    "Enlarged Cardiomediastinum": "enlarged cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung opacity",
    "Lung Lesion": "lung lesion",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Fracture": "fracture",
    "Support Devices": "support devices",
}
NO_FINDING = "No Finding"
# Finding -> the more general one that it is a kind of, by the hierarchy of the paper's figure 1.
KIND_OF = {
    "cardiomegaly": "enlarged cardiomediastinum",
    "lung lesion": "lung opacity",
    "edema": "lung opacity",
    "consolidation": "lung opacity",
    "pneumonia": "lung opacity",
    "atelectasis": "lung opacity",
}
_PATHS = ("Path", "filepath", "image_path", "image")


def read_chexpert(table: TableFile, uncertain: str, blank: str) -> LabelFile:
    """Reads the labels of a table.

    Args:
        table: the table, with a column of paths and one of each finding.
        uncertain: what -1 counts as: "unknown", "present" or "absent".
        blank: what no mark counts as: "unknown" or "absent".

    Returns:
        The labels; the notes say how many marks were uncertain or blank, and what they count as.

    Raises:
        NegjaxError: the table has no column of paths.
    """
    column = next((name for name in _PATHS if name in table.columns), "")
    if not column:
        raise NegjaxError(f"--labels {table.path} has no column Path; it has: {', '.join(table.columns)[:200]}")
    columns = [name for name in FINDINGS if name in table.columns]
    images: dict[str, ImageLabels] = {}
    malformed: list[str] = []
    counts = {"uncertain": 0, "blank": 0, "against": 0}
    for start, row in table.rows():
        try:
            cells = table.cells(row)
            path = text(cells, column).strip()
            if not path:
                raise ValueError(f"column {column} is empty")
            if path in images:
                raise ValueError(f"{path} has labels in an earlier row")
            images[path] = _read_findings(
                cells, columns, {1: "present", 0: "absent", -1: uncertain, None: blank}, counts
            )
        except ValueError as error:
            malformed.append(f"{table.path} {start}: {error}")
    digest = hashlib.sha256(f"{file_sha256(table.path)} {uncertain} {blank}".encode()).hexdigest()
    notes = [
        f"{counts['uncertain']:,} findings are uncertain (-1) and count as {uncertain}, {counts['blank']:,} are not "
        f"mentioned (blank) and count as {blank}"
    ]
    if counts["against"]:
        notes.append(f"{counts['against']:,} findings are denied beside a kind of theirs, and count as unknown")
    return LabelFile(table.path, digest, images, complete=False, malformed=tuple(malformed), notes=tuple(notes))


def _read_findings(
    cells: Cells, columns: list[str], meanings: dict[int | None, str], counts: dict[str, int]
) -> ImageLabels:
    """The labels of a row; raises ValueError for a mark that is none."""
    healthy = NO_FINDING in cells and _read_mark(cells, NO_FINDING) == 1
    said: dict[str, list[str]] = {"present": [], "absent": [], "unknown": []}
    general: set[str] = set()  # findings of which a kind is there, or may be
    for column in columns:
        mark, name = _read_mark(cells, column), FINDINGS[column]
        counts["uncertain"] += mark == -1
        if mark in (1, -1) and name in KIND_OF:
            general.add(KIND_OF[name])
        if mark is None and healthy and column != "Support Devices":
            said["absent"].append(name)
            continue
        counts["blank"] += mark is None
        said[meanings[mark]].append(name)
    if healthy and (there := [name for name in said["present"] if name != "support devices"]):
        raise ValueError(f"it has No Finding, and {there[0]}")
    if denied := [name for name in said["absent"] if name in general]:
        counts["against"] += len(denied)
        said["absent"] = [name for name in said["absent"] if name not in general]
        said["unknown"] += denied
    return ImageLabels(tuple(said["present"]), tuple(said["absent"]), tuple(said["unknown"]))


def _read_mark(cells: Cells, column: str) -> int | None:
    """1, 0, -1, or None for a blank; raises ValueError, which names the column, for anything else."""
    cell = text(cells, column).strip()
    if cell.lower() in {"", "nan"}:
        return None
    try:
        value = number(cell)
    except ValueError:
        value = math.nan
    if value not in (1, 0, -1):
        raise ValueError(f"column {column} holds {cell[:40]!r}: it must be 1, 0, -1 or blank")
    return int(value)
