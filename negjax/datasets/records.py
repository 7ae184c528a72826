"""The columns of a record, and the checks that a row of a set must pass.

Every record has `id` (the 0-based row of the source), `group`, `media` (an encoded image, or a clip byte for byte)
and `media_sha256`; each of the set's fields adds its columns. `option_kinds` holds the kind of each option of a
question ("positive", "hybrid", ...); it may be empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]

COLUMNS = {
    "captions": ("captions", "positive_objects", "negative_objects"),
    "negated_captions": ("negated_captions",),
    "question": ("options", "answer", "kind", "option_kinds"),
    "label": ("label",),
    "objects": ("positive_objects",),
}
TEXT_LISTS = ("captions", "positive_objects", "negative_objects", "negated_captions", "options", "option_kinds")
TEXT_COLUMNS = ("media_sha256", "kind")
OPTIONAL_LISTS = ("positive_objects", "negative_objects", "option_kinds")  # lists that may be empty
ENCODED = ("captions", "negated_captions", "options")  # columns that a text tower reads; their lengths are stored


def columns(fields: Sequence[str]) -> list[str]:
    """The columns of a set with these fields, besides those that every record has."""
    return [name for field in fields for name in COLUMNS[field]]


def complete_record(
    example: Mapping[str, Any], index: int, fields: Sequence[str], metadata: Mapping[str, Any]
) -> Record:
    """Fills in the columns that an example lacks, and checks all of them.

    Args:
        example: Columns of a record.
        index: The default of `id`. Other defaults are 0 for `group`, "" for `kind`, and empty lists for objects and
            option kinds.
        fields: The set's fields, keys of COLUMNS.
        metadata: The metadata of the set; its `classnames` bound the labels, and a row of `pairs` may have no captions.

    Raises:
        ValueError: A column is unknown, missing or malformed; the message names it.
    """
    record: Record = {"id": index, "group": 0, "kind": "", **{name: [] for name in OPTIONAL_LISTS}}
    record.update(example)
    names = ["id", "group", "media", *columns(fields)]
    if unknown := set(example) - set(names):
        raise ValueError(f"{', '.join(sorted(unknown))}: a set of {', '.join(fields)} has no such column")
    if absent := [name for name in names if name not in record]:
        raise ValueError(f"{', '.join(absent)} not given")
    record = {name: record[name] for name in names}
    for name in ("id", "group", "answer", "label"):
        if name in record:
            record[name] = int(record[name])
    if not isinstance(record["media"], bytes) or not record["media"]:
        raise ValueError("media is not the bytes of an image or clip")
    for name in TEXT_LISTS:
        if name in record:
            check_texts(record[name], name)
    for name in ENCODED:
        if name in record and not record[name] and (name, metadata["task_kind"]) != ("captions", "pairs"):
            raise ValueError(f"{name} is empty")
    if "question" in fields:
        check_texts([record["kind"]], "kind")
        check_answer(record["answer"], record["options"])
        if len(record["option_kinds"]) not in (0, len(record["options"])):
            raise ValueError(f"{len(record['option_kinds'])} option_kinds for {len(record['options'])} options")
    classes = len(metadata.get("classnames", ()))
    if "label" in fields and not 0 <= record["label"] < classes:
        raise ValueError(f"label {record['label']} is not one of the {classes} classes")
    return record


def check_texts(texts: Any, name: str) -> None:
    """Raises ValueError, which names the column `name`, unless this is a list of strings that UTF-8 can encode."""
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} is not a list of texts")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} is not valid Unicode ({error.reason})") from error


def check_answer(answer: int, options: Sequence[str]) -> None:
    """Raises ValueError unless there are two options or more and the answer is one of them."""
    if len(options) < 2:
        raise ValueError(f"{len(options)} option where a question needs two or more")
    if not 0 <= answer < len(options):
        raise ValueError(f"answer {answer} is not one of the options 0 to {len(options) - 1}")
