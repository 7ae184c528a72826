"""SugarCrepe: which of two captions is right for an image.

{"0": {"filename", "caption", "negative_caption"}, ...}
"""

from negjax.datasets.sources.json_benchmark import Item, ItemReader, JsonBenchmark, read_path, read_text
from negjax.datasets.sources.rows import Row, question_with_correct_first


def _read_item(item: Item, index: int) -> list[Row]:
    options = [read_text(item, "caption"), read_text(item, "negative_caption")]
    return [Row(index, read_path(item, "filename"), {"group": index, **question_with_correct_first(options)})]


SUGARCREPE = JsonBenchmark(
    title="SugarCrepe",
    keys=frozenset({"filename", "caption", "negative_caption"}),
    choose_reader=lambda items: ItemReader("pairs", ("question",), _read_item),
)
