"""Benchmarks of pairs, from their JSON files as published.

SugarCrepe:   {"0": {"filename", "caption", "negative_caption"}, ...}
VALSE:        {NAME: {"image_file", "caption", "foil", "mturk": {"caption": votes, ...}, ...}, ...}
NegRefCOCOg:  [{"image", "phrase", "ref_bbox": [x, y, width, height], "bbox_list": [...]}, ...]

The first two ask which caption is right for an image. NegRefCOCOg asks which box of an image a phrase means: each box
is cut out and becomes a row, rows of one `group` belong together, and the phrase is a caption of the right one alone.
The box whose image has the highest cosine with the phrase is the prediction (negrefcocog_eval.py of
github.com/parkquasar/NegationCLIP). VALSE's items count where at least two of three people found the caption, and not
the foil, right: `mturk.caption` >= 2 (README of github.com/Heidelberg-NLP/VALSE); the others are not valid rows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from etils import epath

from negjax.datasets.records import Record
from negjax.datasets.sources.crops import Box, check_box
from negjax.datasets.sources.rows import Row, right_first
from negjax.errors import NegjaxError

VOTES = 2  # of three, for a caption of VALSE

Item = Mapping[str, Any]
Reader = Callable[[Item, int], list[Row]]


def read_pairs(path: epath.PathLike) -> tuple[tuple[str, ...], list[Row]]:
    """The fields of a set made of this file, and its rows; a record's `id` counts records from 0.

    Raises NegjaxError that names the file, the item (counted from 0) and what is wrong with it.
    """
    items = _items(path)
    fields, read = _form(items[0], path)
    rows: list[Row] = []
    for number, item in enumerate(items):
        try:
            found = read(item, number)
        except KeyError as error:
            raise NegjaxError(f"{path} item {number}: there is no {error}") from error
        except ValueError as error:
            raise NegjaxError(f"{path} item {number}: {error}") from error
        for row in found:
            row.record["id"] = len(rows)
            rows.append(row)
    return fields, rows


def _items(path: epath.PathLike) -> Sequence[Item]:
    try:
        stored = json.loads(epath.Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise NegjaxError(f"{path} is not a JSON file ({error})") from error
    items = list(stored.values()) if isinstance(stored, dict) else stored
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise NegjaxError(
            f"{path} is not a list or an object of JSON objects, as SugarCrepe, VALSE and NegRefCOCOg are"
        )
    if not items:
        raise NegjaxError(f"{path} has no items")
    return items


def _form(item: Item, path: epath.PathLike) -> tuple[tuple[str, ...], Reader]:
    for needed, fields, read in FORMS:
        if needed <= item.keys():
            return fields, read
    known = "; ".join(", ".join(sorted(needed)) for needed, _, _ in FORMS)
    raise NegjaxError(f"{path}: items have {', '.join(item) or 'nothing'}; known are items with {known}")


def _sugarcrepe(item: Item, number: int) -> list[Row]:
    return [_captions(item, number, "filename", "negative_caption")]


def _valse(item: Item, number: int) -> list[Row]:
    votes = item["mturk"]
    if not isinstance(votes, dict) or not isinstance(votes.get("caption"), int):
        raise ValueError("mturk.caption is not a number of votes")
    return [_captions(item, number, "image_file", "foil", valid=votes["caption"] >= VOTES)]


def _captions(item: Item, number: int, file: str, wrong: str, valid: bool = True) -> Row:
    options = [_text(item, "caption"), _text(item, wrong)]
    return Row(number, _file(item, file), {"group": number} | right_first(options), valid=valid)


def _negrefcocog(item: Item, number: int) -> list[Row]:
    right, boxes = _box(item["ref_bbox"], "ref_bbox"), item["bbox_list"]
    if not isinstance(boxes, list):
        raise ValueError("bbox_list is not a list of boxes")
    distinct = list(dict.fromkeys(_box(box, "bbox_list") for box in boxes))
    if len(distinct) < 2 or right not in distinct:
        raise ValueError("bbox_list does not hold ref_bbox and another box")
    file, phrase = _file(item, "image"), _text(item, "phrase")
    records: list[Record] = [{"group": number, "captions": [phrase] if box == right else []} for box in distinct]
    return [Row(number, file, record, box) for record, box in zip(records, distinct)]


def _box(value: Any, name: str) -> Box:
    whole = isinstance(value, list) and len(value) == 4
    if not whole or not all(isinstance(side, int | float) and not isinstance(side, bool) for side in value):
        raise ValueError(f"{name} is not four numbers, x, y, width, height: {str(value)[:60]}")
    x, y, width, height = value
    return check_box((x, y, width, height))


def _file(item: Item, name: str) -> str:
    file = _text(item, name).strip()
    if not file:
        raise ValueError(f"{name} is empty")
    return file


def _text(item: Item, name: str) -> str:
    if not isinstance(text := item[name], str):
        raise ValueError(f"{name} is not a text: {str(text)[:60]}")
    return text


FORMS: tuple[tuple[set[str], tuple[str, ...], Reader], ...] = (
    ({"filename", "caption", "negative_caption"}, ("question",), _sugarcrepe),
    ({"image_file", "caption", "foil", "mturk"}, ("question",), _valse),
    ({"image", "phrase", "ref_bbox", "bbox_list"}, ("captions",), _negrefcocog),
)
