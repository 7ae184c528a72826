"""Values of a language model's JSON, checked."""

from typing import Any

MAX_NAME = 60  # characters


def texts(value: Any, key: str, count: int, length: int = MAX_NAME) -> tuple[str, ...]:
    """The list of texts under a key.

    Args:
        value: an object.
        key: of the list.
        count: the largest number of texts.
        length: the largest number of characters of one.

    Raises:
        ValueError: there is no such list, or it is too long.
    """
    listed = value.get(key) if isinstance(value, dict) else None
    if not isinstance(listed, list) or len(listed) > count or not all(isinstance(text, str) for text in listed):
        raise ValueError(f"{key!r} is no list of at most {count} texts")
    if any(len(text) > length for text in listed):
        raise ValueError(f"a text under {key!r} has more than {length} characters")
    return tuple(listed)
