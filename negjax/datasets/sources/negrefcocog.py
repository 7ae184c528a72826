"""NegRefCOCOg: which box of an image a phrase means.

[{"image", "phrase", "ref_bbox": [x, y, width, height], "bbox_list": [...]}, ...]

Each distinct box is a row. The rows of an item are one `group`, and the phrase is a caption of the right box alone. The
box with the highest cosine to the phrase is the prediction (negrefcocog_eval.py of github.com/parkquasar/NegationCLIP).
"""

from negjax.datasets.sources.json_benchmark import Item, ItemReader, JsonBenchmark, read_box, read_path, read_text
from negjax.datasets.sources.rows import Row


def _read_item(item: Item, index: int) -> list[Row]:
    right, boxes = read_box(item["ref_bbox"], "ref_bbox"), item["bbox_list"]
    if not isinstance(boxes, list):
        raise ValueError("bbox_list is not a list of boxes")
    distinct = list(dict.fromkeys(read_box(box, "bbox_list") for box in boxes))
    if len(distinct) < 2 or right not in distinct:
        raise ValueError("bbox_list does not hold ref_bbox and another box")
    path, phrase = read_path(item, "image"), read_text(item, "phrase")
    return [Row(index, path, {"group": index, "captions": [phrase] if box == right else []}, box) for box in distinct]


NEGREFCOCOG = JsonBenchmark(
    title="NegRefCOCOg",
    keys=frozenset({"image", "phrase", "ref_bbox", "bbox_list"}),
    choose_reader=lambda items: ItemReader("pairs", ("captions",), _read_item, crops=True),
)
