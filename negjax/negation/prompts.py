"""The texts in which the methods say what a caption affirms and what it denies."""

from collections.abc import Callable, Sequence

import numpy as np

from negjax.language.parsed import Parsed
from negjax.language.phrases import with_article

NOTHING_AFFIRMED = "A photo of something"  # for a caption that only denies; SpaceVLM's (arXiv 2511.12331)


def affirmed_text(parsed: Parsed) -> str:
    """What a caption still says without its negated parts; a photo of anything where that is nothing."""
    return parsed.affirmed.strip() or NOTHING_AFFIRMED


def photo_text(concept: str) -> str:
    """A concept as a caption: "A photo of a dog", "A photo of people"."""
    return f"A photo of {with_article(concept)}"


def denied_texts(parsed: Parsed, say: Callable[[str], str] = photo_text) -> list[str]:
    """A text for each concept that a caption denies, each once."""
    return [say(concept) for concept in dict.fromkeys(parsed.negated)]


def denied_rows(
    captions: Sequence[Parsed], say: Callable[[str], str] = photo_text
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The texts of all concepts that some captions deny, one caption after another.

    Args:
        captions: captions that deny something.
        say: makes a text of a concept.

    Returns:
        The texts [P]; the caption that each belongs to [P]; where those of each caption begin.
    """
    texts = [denied_texts(parsed, say) for parsed in captions]
    count_C = np.array([len(own) for own in texts], np.int64)
    flat = [text for own in texts for text in own]
    return flat, np.repeat(np.arange(len(texts)), count_C), np.cumsum(count_C) - count_C
