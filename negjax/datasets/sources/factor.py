"""FACTOR-Bench: does a scorer carry out "not", "and", "or", "but not" and "neither"?

{..., "samples": [{"test_type", "operator", "image", "caption_a", "caption_b", "correct": "a" | "b" | "both", ...}]}

Each item has an image of COCO val2017 and two captions. In the splits "operator" and "compound" one of them is true: a
question with two options, whose kind is the operator (NOT, AND, OR, BUT_NOT, NEITHER, COMPOUND). In the split
"equivalence" both say the same in other words: two captions of the image, for the task kind "equivalence". The parses
of the captions are not read. Source: arXiv 2607.23052, docs/SCHEMA.md of github.com/SultanMo/factored-vlm (CC-BY-4.0).
"""

from collections.abc import Sequence

from negjax.datasets.sources.json_benchmark import Item, ItemReader, JsonBenchmark, read_path, read_text
from negjax.datasets.sources.rows import Row

ANSWERS = {"a": 0, "b": 1}
BOTH = "both"


def _read_captions(item: Item) -> list[str]:
    return [read_text(item, "caption_a"), read_text(item, "caption_b")]


def _read_choice(item: Item, index: int) -> list[Row]:
    correct = read_text(item, "correct")
    if correct not in ANSWERS:
        raise ValueError(f"correct is {correct!r}, not a or b")
    question = {"options": _read_captions(item), "answer": ANSWERS[correct], "kind": read_text(item, "operator")}
    return [Row(index, read_path(item, "image"), {"group": index, **question})]


def _read_equivalence(item: Item, index: int) -> list[Row]:
    if item["correct"] != BOTH:
        raise ValueError(f"correct is {item['correct']!r}, where other items of the split have both captions right")
    return [Row(index, read_path(item, "image"), {"group": index, "captions": _read_captions(item)})]


def _choose_reader(items: Sequence[Item]) -> ItemReader:
    if any(item.get("correct") == BOTH for item in items):
        return ItemReader("equivalence", ("captions",), _read_equivalence)
    return ItemReader("pairs", ("question",), _read_choice)


FACTOR = JsonBenchmark(
    title="FACTOR-Bench",
    keys=frozenset({"test_type", "operator", "image", "caption_a", "caption_b", "correct"}),
    choose_reader=_choose_reader,
    split_key="test_type",
)
