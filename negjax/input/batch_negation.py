"""Negated captions that are made in the batch, from what a similar image of it shows and this one does not (TNG-CLIP).

Every host makes the choices of the whole global batch, from the lists of objects of all rows of the set, so that they
depend on nothing but the rows and their draws, and every host knows the lengths of all texts. Shapes: R rows of the
set, B rows of the global batch, V objects that occur in it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from negjax.errors import NegjaxError
from negjax.language.phrases import lower_initial
from negjax.synthesis.captions import fill_pattern
from negjax.synthesis.patterns import ABSENT, INSERTED_NEGATION
from negjax.tokenizers.clip import Tokenizer

DENIALS = tuple(pattern for pattern in ABSENT.train if "draw" not in pattern)  # for any kind of images
_PARTNER, _OBJECT, _PATTERN, _DENIED, _DENIAL = range(5)  # the random numbers of a row, `draws.NEGATION` of them
_CLOSE = 1e-9  # two similarities that differ by less are equal


@dataclass(frozen=True)
class Negation:
    """What the texts of a row deny; empty where no row of the batch shows anything else.

    Attributes:
        absent: the object that is named beside the caption, of the most similar image that shows one.
        pattern: the sentence that takes both.
        denied: an object of any image of the batch that is named alone.
        denial: the sentence that takes it.
    """

    absent: str = ""
    pattern: str = ""
    denied: str = ""
    denial: str = ""

    def hybrid(self, caption: str) -> str:
        """The caption, and that the absent object is absent; the caption itself where there is none."""
        if not self.absent:
            return caption
        stem = caption.strip().rstrip(".").rstrip()
        return fill_pattern(self.pattern, absent=[self.absent], caption=stem, continued=lower_initial(stem))

    def alone(self, caption: str) -> str:
        """That the denied object is absent; the caption where there is none."""
        return fill_pattern(self.denial, absent=[self.denied]) if self.denied else caption

    def contradicts(self, shown: Collection[str]) -> bool:
        """Whether it denies one of these objects: of a row in whose place another is read, because it is broken."""
        return self.absent in shown or self.denied in shown

    def hybrid_tokens(self, caption_tokens: int) -> int:
        """The most of CLIP's tokens that `hybrid` has of a caption with so many."""
        added = _tokens(self.pattern, self.absent) - 2 if self.absent else 0  # of its own ends
        return caption_tokens + added

    def alone_tokens(self, caption_tokens: int) -> int:
        """Those of `alone`."""
        return _tokens(self.denial, self.denied) if self.denied else caption_tokens


class SetObjects:
    """The objects in the images of a set."""

    def __init__(self, name: str, lists: Iterable[Collection[str]]) -> None:
        """Reads the lists.

        Args:
            name: of the set.
            lists: the objects in the image of each row.

        Raises:
            NegjaxError: the set names fewer than two objects.
        """
        lists = [sorted(set(names)) for names in lists]
        self._names = sorted({name for names in lists for name in names})
        if len(self._names) < 2:
            raise NegjaxError(
                f"set {name} names {len(self._names)} objects (positive_objects), and tng makes its captions from "
                "two or more: build it with lists of objects, or take another set"
            )
        number = {name: v for v, name in enumerate(self._names)}
        self._rows = [np.array([number[name] for name in names], np.int64) for names in lists]

    @cached_property
    def _pairs(self) -> np.ndarray:
        """The codes V v + w of all pairs of objects that an image of the set shows together, sorted."""
        count = len(self._names)
        codes = {code for row in self._rows for code in (row[:, None] * count + row).ravel().tolist()}
        return np.array(sorted(codes), np.int64)

    def negations(self, row_B: np.ndarray, draw_BD: np.ndarray) -> list[Negation]:
        """What the texts of each row of a global batch deny.

        An object counts as absent from an image that does not list it; and only objects that the set shows elsewhere
        together with each one that the image lists are named, for others are not expected there. Images are similar as
        their lists are: |A and B| / sqrt(|A| |B|).

        Args:
            row_B: the rows.
            draw_BD: from [0, 1), D = `draws.NEGATION`.
        """
        object_V, shows_BV = self._of_batch(row_B)
        absent_BV = ~shows_BV & ~(shows_BV @ ~self._together(object_V))
        number_B = np.maximum(shows_BV.sum(axis=1), 1)
        shows = shows_BV.astype(np.float32)
        similarity_BB = shows @ shows.T / np.sqrt(number_B[:, None] * number_B)
        similarity_BB[~(absent_BV @ shows_BV.T)] = -1  # that row shows nothing to deny
        found = []
        for absent_V, similarity_B, draw_D in zip(absent_BV, similarity_BB, draw_BD):
            if not absent_V.any():
                found.append(Negation())
                continue
            nearest = np.flatnonzero(similarity_B >= similarity_B.max() - _CLOSE)
            shown_V = shows_BV[_draw(nearest, draw_D[_PARTNER])]
            found.append(
                Negation(
                    self._names[object_V[_draw(np.flatnonzero(absent_V & shown_V), draw_D[_OBJECT])]],
                    _draw(INSERTED_NEGATION, draw_D[_PATTERN]),
                    self._names[object_V[_draw(np.flatnonzero(absent_V), draw_D[_DENIED])]],
                    _draw(DENIALS, draw_D[_DENIAL]),
                )
            )
        return found

    def _of_batch(self, row_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The objects of a batch [V], and which of them each row shows [B, V]."""
        object_V = np.unique(np.concatenate([self._rows[row] for row in row_B]))
        shows_BV = np.zeros((len(row_B), len(object_V)), bool)
        for shows_V, row in zip(shows_BV, row_B):
            shows_V[np.searchsorted(object_V, self._rows[row])] = True
        return object_V, shows_BV

    def _together(self, object_V: np.ndarray) -> np.ndarray:
        """Which pairs of objects an image of the set shows together, bool [V, V]."""
        return np.isin(object_V[:, None] * len(self._names) + object_V, self._pairs)


def _draw(choices: Any, draw: float) -> Any:
    """One of a sequence. draw: from [0, 1)."""
    return choices[int(draw * len(choices))]


@lru_cache(maxsize=65536)
def _tokens(pattern: str, absent: str) -> int:
    """CLIP's tokens of a sentence without the caption in it, start and end token included."""
    return Tokenizer().lengths([fill_pattern(pattern, absent=[absent], caption="", continued="")])[0]
