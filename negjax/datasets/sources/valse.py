"""VALSE: which of a caption and its foil is right for an image.

{NAME: {"image_file", "caption", "foil", "mturk": {"caption": votes, ...}, ...}, ...}

An item counts where at least two of three people found the caption, and not the foil, right: `mturk.caption` >= 2
(README of github.com/Heidelberg-NLP/VALSE).
"""

from negjax.datasets.sources.json_benchmark import Item, ItemReader, JsonBenchmark, read_path, read_text
from negjax.datasets.sources.rows import Row, question_with_correct_first

LEAST_VOTES = 2  # of three, for the caption


def _read_item(item: Item, index: int) -> list[Row]:
    votes = item["mturk"]
    if not isinstance(votes, dict) or not isinstance(votes.get("caption"), int):
        raise ValueError("mturk.caption is not a number of votes")
    question = question_with_correct_first([read_text(item, "caption"), read_text(item, "foil")])
    path, valid = read_path(item, "image_file"), votes["caption"] >= LEAST_VOTES
    return [Row(index, path, {"group": index, **question}, valid=valid)]


VALSE = JsonBenchmark(
    title="VALSE",
    keys=frozenset({"image_file", "caption", "foil", "mturk"}),
    choose_reader=lambda items: ItemReader("pairs", ("question",), _read_item),
)
