"""CREPE's files: a caption and its hard negatives for a part of one of Visual Genome's images.

Columns: image_id, caption, hard_negs, x, y, width, height (github.com/RAIVNLab/CREPE, crepe_eval_utils.py).
"""

from negjax.datasets.sources.boxes import BoxXYWH, check_box
from negjax.datasets.sources.cells import Cells, number, text, texts
from negjax.datasets.sources.layouts import TableLayout
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import MediaFile, Row, question_with_correct_first

BOX_COLUMNS = ("x", "y", "width", "height")
VISUAL_GENOME_FOLDERS = ("VG_100K", "VG_100K_2")  # the images come in two folders; a row does not name which


class VisualGenomeRoot(MediaRoot):
    """A folder that holds both folders of Visual Genome's images."""

    def find(self, path: str) -> MediaFile | None:
        return super().find(path) or super().find(path.replace(*VISUAL_GENOME_FOLDERS, 1))


def _read_row(cells: Cells, index: int) -> Row:
    image = text(cells, "image_id").strip()
    if not image:
        raise ValueError("column image_id is empty")
    try:
        box = BoxXYWH(*(number(text(cells, name)) for name in BOX_COLUMNS))
    except ValueError as error:
        raise ValueError(f"columns x, y, width, height: {error}") from error
    check_box(box)
    question = question_with_correct_first([text(cells, "caption"), *texts(cells, "hard_negs")])
    return Row(index, f"{VISUAL_GENOME_FOLDERS[0]}/{image}.jpg", {"id": index, "group": index, **question}, box)


CREPE = TableLayout(
    kind="pairs",
    columns=("image_id", "caption", "hard_negs", *BOX_COLUMNS),
    fields=("question",),
    read_row=_read_row,
    task_kind="pairs",
    marker="hard_negs",
    has_path=False,
    media_root=VisualGenomeRoot,
    metadata={"crops": True},
)
