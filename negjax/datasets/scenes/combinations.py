"""Which objects are combined in a scene, and which pairs of them are held out of training."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from negjax.datasets.scenes.layout import MAX_OBJECTS
from negjax.datasets.scenes.objects import OBJECT_NAMES

HELD_OUT_SHARE = 0.08  # of all pairs of objects
TRAINING_SIZE_SHARES = (0.2, 0.2, 0.3, 0.3)  # shares of training images with 1, 2, 3 and 4 objects


class CombinationSplit:
    """The combinations of objects, split into those for training and those for testing.

    A share of all pairs is held out: no training image shows both objects of such a pair, no training caption and no
    options of a training question name both, and every test image with two objects or more shows at least one pair.

    Args:
        seed: decides which pairs are held out.

    Attributes:
        held_out_pairs: the pairs that only test images show, sorted.
        training_pairs: all other pairs, sorted.
    """

    def __init__(self, seed: int):
        pairs = list(combinations(OBJECT_NAMES, 2))
        rng = np.random.default_rng([seed, 0])
        chosen = rng.choice(len(pairs), round(HELD_OUT_SHARE * len(pairs)), replace=False)
        self.held_out_pairs = tuple(pairs[i] for i in sorted(chosen))
        self.training_pairs = tuple(sorted(set(pairs) - set(self.held_out_pairs)))
        self._held_out_partners: dict[str, set[str]] = {name: set() for name in OBJECT_NAMES}
        for first, second in self.held_out_pairs:
            self._held_out_partners[first].add(second)
            self._held_out_partners[second].add(first)

    def has_held_out_pair(self, names: Sequence[str]) -> bool:
        """Return whether two of the names are a held-out pair."""
        return any(other in self._held_out_partners[name] for name, other in combinations(names, 2))

    def draw_training(self, rng: np.random.Generator) -> list[str]:
        """Draw 1 to 4 different objects, no two of them a held-out pair."""
        size = 1 + rng.choice(MAX_OBJECTS, p=TRAINING_SIZE_SHARES)
        while True:
            names = [OBJECT_NAMES[i] for i in rng.choice(len(OBJECT_NAMES), size, replace=False)]
            if not self.has_held_out_pair(names):
                return names

    def draw_testing(self, rng: np.random.Generator) -> list[str]:
        """Draw 2 to 4 different objects, at least two of them a held-out pair."""
        size = rng.integers(2, MAX_OBJECTS + 1)
        pair = self.held_out_pairs[rng.integers(len(self.held_out_pairs))]
        others = [name for name in OBJECT_NAMES if name not in pair]
        return [*pair, *(others[i] for i in rng.choice(len(others), size - 2, replace=False))]

    def draw_gallery(self, rng: np.random.Generator, size: int) -> list[list[str]]:
        """Draw `size` test combinations, no two of them the same set of objects."""
        gallery: dict[frozenset[str], list[str]] = {}
        while len(gallery) < size:
            names = self.draw_testing(rng)
            gallery.setdefault(frozenset(names), names)
        return list(gallery.values())

    def draw_absent(
        self, present: Sequence[str], rng: np.random.Generator, *, training: bool, count: int = 1
    ) -> list[str]:
        """Draw different objects that an image does not show.

        Args:
            present: the objects in the image.
            rng: draws the absent ones.
            training: whether to avoid held-out pairs among the present and the drawn objects.
            count: the number of objects.

        Raises:
            ValueError: fewer than `count` objects are absent.
        """
        chosen: list[str] = []
        for name in (OBJECT_NAMES[i] for i in rng.permutation(len(OBJECT_NAMES))):
            if name not in present and not (training and self._held_out_partners[name] & {*present, *chosen}):
                chosen.append(name)
                if len(chosen) == count:
                    return chosen
        raise ValueError(f"fewer than {count} objects are absent from an image of {present}")
