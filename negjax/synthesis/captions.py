"""Captions from object names: a sentence pattern, drawn at random and filled in with present and absent objects."""

from collections.abc import Sequence

import numpy as np

from negjax.language.nouns import noun_number, plural_name
from negjax.language.phrases import is_or_are, join_names, lower_initial, with_article
from negjax.synthesis.mediums import Medium, clashes, select_tables
from negjax.synthesis.patterns import SentencePatterns

NEGCAP_NEGATIONS = 3  # negated captions for each image in NegBench's training set NegCap


def fill_pattern(pattern: str, present: Sequence[str] = (), absent: Sequence[str] = (), **texts: str) -> str:
    """Fill in a sentence pattern.

    Args:
        pattern: a template with the placeholders of `negjax.synthesis.patterns`.
        present: names of objects in the image, in the order of the sentence.
        absent: names of up to two absent objects, for {N} and {M}.
        **texts: values of other placeholders, such as `caption`.

    Returns:
        The sentence.
    """
    if present:
        texts |= {"P": join_names(present), "is": is_or_are(present[0]) if len(present) == 1 else "are"}
    for letter, name in zip("NM", absent):
        texts |= {letter: name, f"a_{letter}": with_article(name), f"{letter}_is": is_or_are(name)}
        several, counted = plural_name(name), noun_number(name) == "singular"
        texts |= {f"{letter}s": several, f"{letter}s_are": "are" if counted else is_or_are(name)}
        texts |= {f"not_one_{letter}": f"not a single {name}" if counted else f"no {name}"}
    return pattern.format(**texts)


class CaptionWriter:
    """Writes captions in sentence patterns that are drawn at random.

    Args:
        rng: draws openers, patterns and the order of names.
        held_out: draw from the held-out part of each table, for test captions, instead of the training part.
        medium: what the sentences may call the image.
    """

    def __init__(self, rng: np.random.Generator, held_out: bool, medium: Medium = "drawing"):
        self.rng = rng
        self.held_out = held_out
        self.medium = medium
        self.tables = select_tables(medium)

    def write_affirmative(self, present: Sequence[str]) -> str:
        """Write a caption that names the objects in the image, in random order."""
        return fill_pattern(self._draw_sentence(self.tables.affirmative), self.shuffle(present))

    def write_alike(self, lists: Sequence[Sequence[str]]) -> list[str]:
        """Write one caption for each list, which names its objects in its order, all of them in the same sentence."""
        sentence = self._draw_sentence(self.tables.affirmative)
        return [fill_pattern(sentence, names) for names in lists]

    def write_negated(self, present: Sequence[str], absent: str) -> str:
        """Write a caption that names the objects in the image, in random order, and one absent object first or last."""
        return fill_pattern(self._draw_sentence(self._draw_order()), self.shuffle(present), [absent])

    def write_negated_and_plain(self, present: Sequence[str], absent: str) -> tuple[str, str]:
        """Write a caption like `write_negated`, without an opener, and the same caption without the absent object.

        Args:
            present: the objects in the image.
            absent: the absent object.

        Returns:
            The negated and the plain caption.

        Raises:
            KeyError: for a writer of training captions, as only held-out patterns have a plain form.
        """
        pattern, names = self._draw_pattern(self._draw_order()), self.shuffle(present)
        return fill_pattern(pattern, names, [absent]), fill_pattern(self.tables.unnegated[pattern], names)

    def write_absent(self, absent: str) -> str:
        """Write a caption that names one absent object and nothing else."""
        return fill_pattern(self._draw_sentence(self.tables.absent), absent=[absent])

    def write_neither(self, absent: Sequence[str]) -> str:
        """Write a caption that names two absent objects, in random order, and nothing else."""
        return fill_pattern(self._draw_sentence(self.tables.neither), absent=self.shuffle(absent))

    def insert_negation(self, caption: str, absent: str) -> str:
        """Add one absent object to an image's own caption, before or after it."""
        caption = caption.strip().rstrip(" .,;:!?")
        pattern = self.tables.inserted[self.rng.integers(len(self.tables.inserted))]
        return fill_pattern(pattern, absent=[absent], caption=caption, continued=lower_initial(caption))

    def shuffle(self, names: Sequence[str]) -> list[str]:
        """Return the names in random order."""
        return [names[i] for i in self.rng.permutation(len(names))]

    def _draw_order(self) -> SentencePatterns:
        """Draw whether the absent object is named first or last."""
        return self.tables.negation_first if self.rng.integers(2) else self.tables.negation_last

    def _draw_sentence(self, patterns: SentencePatterns) -> str:
        """Draw an opener and a pattern; the opener is left out where the two do not fit."""
        opener, pattern = self._draw_pattern(self.tables.openers), self._draw_pattern(patterns)
        # The drawn world keeps its sentences as they are: published figures are of them.
        return pattern if self.medium != "drawing" and clashes(opener, pattern) else opener + pattern

    def _draw_pattern(self, patterns: SentencePatterns) -> str:
        """Draw a pattern of this writer's part."""
        choices = patterns.held_out if self.held_out else patterns.train
        return choices[self.rng.integers(len(choices))]
