"""Labels of images: which of some objects each image holds, and which objects are found together.

Labels are taken to be complete: what an image is not labelled with is not there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Labels:
    """`holds_IN[i, n]`: whether image i is labelled with object `names[n]`."""

    names: tuple[str, ...]
    holds_IN: NDArray[np.bool_]

    @cached_property
    def alike_NN(self) -> NDArray[np.bool_]:
        """Whether the words of one name are all in the other, as in "bear" and "teddy bear", and of a name itself."""
        words = [set(name.lower().split()) for name in self.names]
        return np.array([[first <= second or second <= first for second in words] for first in words])

    @cached_property
    def absent_IN(self) -> NDArray[np.bool_]:
        """Whether one can say without a doubt that the image does not hold the object: nothing alike is there either.

        Of an image of a teddy bear it is neither said that it holds a bear nor that it holds none.
        """
        return np.asfortranarray(self.holds_IN.astype(np.float32) @ self.alike_NN == 0)

    @cached_property
    def together_NN(self) -> NDArray[np.int64]:
        """In how many images two objects are both; on the diagonal, in how many images an object is."""
        holds_IN = self.holds_IN.astype(np.float64)
        return (holds_IN.T @ holds_IN).astype(np.int64)

    def objects(self, image: int) -> list[str]:
        """The objects of an image, in the order of `names`."""
        return [self.names[n] for n in np.flatnonzero(self.holds_IN[image])]

    def likely_absent(self, image: int, count: int, rng: np.random.Generator) -> list[str]:
        """Different objects that the image does not hold, drawn by how often they are found beside what it holds.

        The weight of object n is the mean over the objects p of the image of the share of the images of p that hold n;
        objects with no weight come in only after all others. Fewer than `count` where no more are absent.
        """
        present = np.flatnonzero(self.holds_IN[image])
        allowed_N = self.absent_IN[image]
        weight_N = np.full(len(self.names), 1e-9)  # in an image of nothing, all alike
        if len(present):
            beside_PN = self.together_NN[present] / self.together_NN[present, present][:, None]
            weight_N = weight_N + beside_PN.mean(0)
        weight_N = weight_N * allowed_N
        count = min(count, int(allowed_N.sum()))
        if not count:
            return []
        return [self.names[n] for n in rng.choice(len(self.names), count, replace=False, p=weight_N / weight_N.sum())]


def labels_of(objects: Sequence[Iterable[str]], names: Sequence[str] | None = None) -> Labels:
    """The labels of images of which each is given as the objects that it holds.

    names: the objects that count, others are ignored; by default all that there are, in alphabetical order.
    """
    if names is None:
        names = sorted({name for each in objects for name in each})
    column = {name: n for n, name in enumerate(names)}
    holds_IN = np.zeros((len(objects), len(column)), bool, order="F")
    for image, each in enumerate(objects):
        holds_IN[image, [column[name] for name in each if name in column]] = True
    return Labels(tuple(column), holds_IN)
