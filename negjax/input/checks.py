"""Checks that a stored set fits a source of training examples."""

from negjax.config import Source
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.objectives.inputs import INPUTS
from negjax.objectives.table import grouped_objective


def check_trainable(data: StoredSet, source: Source) -> None:
    """Checks that a set fits its source.

    Raises:
        NegjaxError: the set lacks what the objectives need, holds no images or no rows, or does not fit the batch size.
    """
    for name in dict.fromkeys(field for key in source.inputs for field in _fields(data, source, key)):
        if name not in data.fields:
            raise NegjaxError(f"set {data.name} has no {name}: this source's objectives need them")
    if data.metadata.get("media_type", "image") != "image":
        raise NegjaxError(f"set {data.name} holds {data.metadata['media_type']}s: training takes images")
    if source.hard_negatives and group_size(data) > 1:
        raise NegjaxError(
            f"set {data.name} gives no hard_negatives: {group_size(data)} rows share their options, and each of these "
            "is right for one of them"
        )
    if (grouped := grouped_objective(source.weights)) and group_size(data) % 2:
        raise NegjaxError(
            f"set {data.name} has questions of one image each: {grouped} needs images that share their options (negjax "
            "data derive --kind balanced makes such a set)"
        )
    if not len(data):
        raise NegjaxError(f"set {data.name} is empty")
    if source.batch_size % group_size(data) or source.batch_size > len(data):
        raise NegjaxError(
            f"batch_size {source.batch_size} does not suit set {data.name}: it must be a multiple of "
            f"{group_size(data)} and at most {len(data)}"
        )


def group_size(data: StoredSet) -> int:
    """The number of consecutive rows that share their options, and therefore stay together in a batch."""
    return int(data.metadata.get("group_size", 1))


def caption_fields(data: StoredSet, source: Source) -> list[str]:
    """The fields that captions are drawn from, the affirmative one first; "question" means its right option."""
    of_question = source.hard_negatives > 0 and "captions" not in data.fields and "question" in data.fields
    affirmative = ["question" if of_question else "captions"] if source.negated_fraction < 1 else []
    return affirmative + (["negated_captions"] if source.negated_fraction > 0 else [])


def _fields(data: StoredSet, source: Source, input_name: str) -> list[str]:
    """The fields of the set that an input is made from."""
    field = INPUTS[input_name].field
    if input_name == "text":
        return caption_fields(data, source)
    return [field] if field else []
