"""Small words: articles and lists, for names of things that are singular and countable."""

from collections.abc import Sequence


def a(name: str) -> str:
    """The name with its indefinite article: "a cat", "an umbrella"."""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def listing(names: Sequence[str]) -> str:
    """The names with articles, as a list in a sentence: "a cat, a key and an apple"."""
    parts = [a(name) for name in names]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
