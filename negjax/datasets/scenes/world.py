"""Which things stand together in a scene, and which pairs of them a model never meets in training."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from negjax.datasets.scenes.objects import NAMES

HELD_OUT_SHARE = 0.08
LARGEST = 4
TRAINING_SIZES = (0.2, 0.2, 0.3, 0.3)  # shares of pictures with 1, 2, 3 and 4 objects


class World:
    """The combinations of objects, split by the seed.

    A share of all pairs is held out: no training image shows both of such a pair, no training caption and no options of
    a training question name both, and every test image with two objects or more shows at least one.
    """

    def __init__(self, seed: int):
        pairs = list(combinations(NAMES, 2))
        rng = np.random.default_rng([seed, 0])
        chosen = rng.choice(len(pairs), round(HELD_OUT_SHARE * len(pairs)), replace=False)
        self.held_out = tuple(pairs[i] for i in sorted(chosen))
        self.trained = tuple(sorted(set(pairs) - set(self.held_out)))
        self._partners: dict[str, set[str]] = {name: set() for name in NAMES}
        for first, second in self.held_out:
            self._partners[first].add(second)
            self._partners[second].add(first)

    def has_held_out(self, names: Sequence[str]) -> bool:
        """Whether two of the names are a held-out pair."""
        return any(other in self._partners[name] for name, other in combinations(names, 2))

    def training(self, rng: np.random.Generator) -> list[str]:
        """1 to 4 objects, no two of them a held-out pair."""
        size = 1 + rng.choice(LARGEST, p=TRAINING_SIZES)
        while True:
            names = [NAMES[i] for i in rng.choice(len(NAMES), size, replace=False)]
            if not self.has_held_out(names):
                return names

    def testing(self, rng: np.random.Generator) -> list[str]:
        """2 to 4 objects, among them at least one held-out pair."""
        size = rng.integers(2, LARGEST + 1)
        pair = self.held_out[rng.integers(len(self.held_out))]
        others = [name for name in NAMES if name not in pair]
        return [*pair, *(others[i] for i in rng.choice(len(others), size - 2, replace=False))]

    def absent(self, present: Sequence[str], rng: np.random.Generator, *, training: bool, count: int = 1) -> list[str]:
        """Different objects that are not there; in training none that makes a held-out pair with one named."""
        chosen: list[str] = []
        for name in (NAMES[i] for i in rng.permutation(len(NAMES))):
            if name not in present and not (training and self._partners[name] & {*present, *chosen}):
                chosen.append(name)
                if len(chosen) == count:
                    return chosen
        raise ValueError(f"no {count} objects are absent beside {present}")
