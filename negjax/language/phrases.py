"""Phrases around object names: the article, the verb "is" or "are", lists, and captions inside a longer sentence."""

from collections.abc import Sequence

from negjax.language.nouns import indefinite_article, noun_number


def with_article(name: str) -> str:
    """Put the indefinite article before a name that takes one.

    Args:
        name: an object's name; not blank.

    Returns:
        "a cat", "an umbrella", "an X-ray", "a pair of scissors"; plural and uncounted names as they are: "skis",
        "broccoli".
    """
    return f"{indefinite_article(name)} {name}" if noun_number(name) == "singular" else name


def is_or_are(name: str) -> str:
    """Choose the verb that agrees with a name.

    Args:
        name: an object's name; not blank.

    Returns:
        "are" for a plural name ("skis are"), else "is" ("a cat is", "broccoli is").
    """
    return "are" if noun_number(name) == "plural" else "is"


def join_names(names: Sequence[str]) -> str:
    """Join names, with their articles, into a list inside a sentence.

    Args:
        names: one name or more.

    Returns:
        "a cat", "a cat and a key" or "a cat, a key and an apple".
    """
    phrases = [with_article(name) for name in names]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def lower_initial(caption: str) -> str:
    """Lower the first letter of a caption that is put inside a longer sentence.

    Args:
        caption: a caption, possibly empty.

    Returns:
        "A man rides" as "a man rides"; unchanged where the first word has other capitals ("BMX riders jump").
    """
    first_word = caption.split(" ", 1)[0]
    return caption if first_word[1:] != first_word[1:].lower() else caption[:1].lower() + caption[1:]
