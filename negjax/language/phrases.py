"""Small words that go with a name: articles, "is" or "are", and lists."""

import re
from collections.abc import Sequence

# Last words of names that are plural, and of names of what is not counted. Others are singular and countable.
PLURAL = {"clothes", "glasses", "goggles", "headphones", "jeans", "people", "scissors", "shorts", "skis", "trousers"}
UNCOUNTED = {"bread", "broccoli", "cheese", "clothing", "food", "furniture", "grass", "rice", "sand", "snow", "water"}
# What begins with a vowel as written and not as spoken, and the other way round: "a uniform", "an hour".
LIKE_CONSONANT = re.compile(r"uni(?!n|m)|us[ae]|ute|uti|uri|uku|eu|ewe|one\b")
LIKE_VOWEL = re.compile(r"[aeiou]|hour|heir|honest")


def a(name: str) -> str:
    """The name with its indefinite article, if it takes one: "a cat", "an umbrella", "skis", "broccoli"."""
    if _last_word(name) in PLURAL | UNCOUNTED:
        return name
    lower = name.lower()
    return f"{'an' if LIKE_VOWEL.match(lower) and not LIKE_CONSONANT.match(lower) else 'a'} {name}"


def be(name: str) -> str:
    """The verb that goes with the name: "is" or "are"."""
    return "are" if _last_word(name) in PLURAL else "is"


def listing(names: Sequence[str]) -> str:
    """The names with articles, as a list in a sentence: "a cat, a key and an apple"."""
    parts = [a(name) for name in names]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def continued(caption: str) -> str:
    """A caption as it goes on within a sentence: "A man rides" becomes "a man rides"; "BMX" keeps its capitals."""
    first = caption.split(" ", 1)[0]
    return caption if first[1:] != first[1:].lower() else caption[:1].lower() + caption[1:]


def _last_word(name: str) -> str:
    """The word that tells the number: of "pair of scissors" it is "pair"."""
    return name.lower().split(" of ")[0].split()[-1]
