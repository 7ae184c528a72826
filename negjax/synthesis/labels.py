"""Object labels of a set of images: which objects each image holds, which are surely absent, which occur together.

Labels are taken to be complete: an object that an image is not labelled with is not in it. Where they are partial, as
those from captions, the absences that are known are given. Shape suffixes: I images, N object names, P the objects of
one image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class ObjectLabels:
    """Which objects each image holds.

    Attributes:
        names: the names of all N objects.
        present_IN: whether image i is labelled with object `names[n]`.
        known_absent_IN: where labels are partial, whether image i is known to lack the object; None where they are
            complete.
    """

    names: tuple[str, ...]
    present_IN: NDArray[np.bool_]
    known_absent_IN: NDArray[np.bool_] | None = None

    @cached_property
    def similar_NN(self) -> NDArray[np.bool_]:
        """Whether all words of one name are in the other, as in "bear" and "teddy bear"; true on the diagonal."""
        words = [set(name.lower().split()) for name in self.names]
        having: dict[str, list[int]] = {}  # word -> the names with it
        for n, some in enumerate(words):
            for word in some:
                having.setdefault(word, []).append(n)
        similar_NN = np.zeros((len(words), len(words)), bool)
        for n, some in enumerate(words):
            within = set.intersection(*(set(having[word]) for word in some)) if some else range(len(words))
            similar_NN[n, list(within)] = True
        return similar_NN | similar_NN.T

    @cached_property
    def absent_IN(self) -> NDArray[np.bool_]:
        """Whether the image surely lacks the object, because it holds no object with a similar name.

        An image of a teddy bear neither surely holds a bear nor surely lacks one.
        """
        lacks_similar_IN = ~self.present_IN
        for n, other in np.argwhere(self.similar_NN & ~np.eye(len(self.names), dtype=bool)):
            lacks_similar_IN[:, n] &= ~self.present_IN[:, other]
        if self.known_absent_IN is not None:
            lacks_similar_IN &= self.known_absent_IN
        return np.asfortranarray(lacks_similar_IN)

    @cached_property
    def cooccurrence_NN(self) -> NDArray[np.int64]:
        """The number of images that hold both objects; on the diagonal, the number that hold the object."""
        present_IN = csr_array(self.present_IN, dtype=np.int64)
        return (present_IN.T @ present_IN).toarray()

    def objects_in(self, image: int) -> list[str]:
        """Return the names of the objects in an image, in the order of `names`."""
        return [self.names[n] for n in np.flatnonzero(self.present_IN[image])]

    def draw_likely_absent(self, image: int, count: int, rng: np.random.Generator) -> list[str]:
        """Draw different absent objects, preferring those that often occur beside the objects of the image.

        The weight of object n is the mean, over the objects p of the image, of the share of the images with p that
        hold n. Objects that never occur beside them are drawn only after all others.

        Args:
            image: the row of the image.
            count: how many objects to draw.
            rng: draws them.

        Returns:
            `count` names, or fewer where fewer objects are absent.
        """
        present_P = np.flatnonzero(self.present_IN[image])
        allowed_N = self.absent_IN[image]
        weight_N = np.full(len(self.names), 1e-9)  # equal weights in an image without objects
        if len(present_P):
            share_PN = self.cooccurrence_NN[present_P] / self.cooccurrence_NN[present_P, present_P][:, None]
            weight_N = weight_N + share_PN.mean(0)
        weight_N = weight_N * allowed_N
        count = min(count, int(allowed_N.sum()))
        if not count:
            return []
        return [self.names[n] for n in rng.choice(len(self.names), count, replace=False, p=weight_N / weight_N.sum())]


def build_labels(
    objects: Sequence[Iterable[str]],
    names: Sequence[str] | None = None,
    absent: Sequence[Iterable[str]] | None = None,
) -> ObjectLabels:
    """Build the labels of images.

    Args:
        objects: for each image the names of the objects that it holds.
        names: the objects to keep; others are ignored. By default all that occur, in alphabetical order.
        absent: where labels are partial, for each image the names of objects that it is known to lack.
    """
    if names is None:
        names = sorted({name for names_of_image in objects for name in names_of_image})
    column = {name: n for n, name in enumerate(names)}
    present_IN = _mark(objects, column)
    return ObjectLabels(tuple(column), present_IN, None if absent is None else _mark(absent, column))


def _mark(objects: Sequence[Iterable[str]], column: dict[str, int]) -> NDArray[np.bool_]:
    marked_IN = np.zeros((len(objects), len(column)), bool, order="F")
    for image, names in enumerate(objects):
        marked_IN[image, [column[name] for name in names if name in column]] = True
    return marked_IN
