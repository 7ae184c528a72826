"""Metrics as weighted means of credits, and their intervals when the images are drawn anew."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BLOCK = 1 << 22  # weights held at once


@dataclass(frozen=True)
class Credits:
    """What a metric is the mean of.

    credit_N: in [0, 1], one for each item (a question, a caption, a group).
    image_NM: the M images that an item rests on (1 for a question, 4 for a group of the truth table).
    stratum_N: where given, the metric is the mean over strata (classes) of the means within them.
    """

    credit_N: np.ndarray
    image_NM: np.ndarray
    stratum_N: np.ndarray | None = None

    def mean(self) -> float:
        """The metric itself."""
        images = int(self.image_NM.max()) + 1
        return float(self.weighted_means(np.ones((1, images)))[0])

    def weighted_means(self, weight_BI: np.ndarray) -> np.ndarray:
        """The metric under each of B weightings of the I images [B]; NaN where no item has weight.

        An item weighs the product of its images' weights.
        """
        weight_BN = weight_BI[:, self.image_NM].prod(axis=-1)
        with np.errstate(invalid="ignore"):
            if self.stratum_N is None:
                return weight_BN @ self.credit_N / weight_BN.sum(axis=1)
            order = np.argsort(self.stratum_N, kind="stable")
            starts = np.unique(self.stratum_N[order], return_index=True)[1]
            total_BS = np.add.reduceat(weight_BN[:, order], starts, axis=1)
            right_BS = np.add.reduceat((weight_BN * self.credit_N)[:, order], starts, axis=1)
            seen_BS = total_BS > 0
            mean_BS = np.where(seen_BS, right_BS, 0) / np.where(seen_BS, total_BS, 1)
            return mean_BS.sum(axis=1) / seen_BS.sum(axis=1)


def figures(credits: Mapping[str, Credits]) -> dict[str, float]:
    """Each metric's value."""
    return {name: credit.mean() for name, credit in credits.items()}


def intervals(credits: Mapping[str, Credits], *, resamples: int = 1000, seed: int = 0) -> dict[str, list[float]]:
    """The 95 % percentile interval of each metric, over `resamples` draws of the images with replacement.

    All metrics of a task see the same draws; `seed` decides them. Draws in which a metric rests on nothing
    are left out of its interval, and a metric that never rests on anything has none.
    """
    images = max(int(credit.image_NM.max()) for credit in credits.values()) + 1
    used_I = np.zeros(images, bool)
    for credit in credits.values():
        used_I[credit.image_NM] = True
    images_U = np.flatnonzero(used_I)
    items = max(len(credit.credit_N) for credit in credits.values())
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in credits}
    for size in _blocks(resamples, BLOCK // max(items, images)):
        weight_BI = np.zeros((size, images))
        for row in weight_BI:
            row[images_U] = np.bincount(rng.integers(len(images_U), size=len(images_U)), minlength=len(images_U))
        for name, credit in credits.items():
            drawn[name].append(credit.weighted_means(weight_BI))
    found = {name: np.concatenate(parts) for name, parts in drawn.items()}
    found = {name: values[~np.isnan(values)] for name, values in found.items()}
    return {name: np.percentile(x, [2.5, 97.5]).tolist() for name, x in found.items() if len(x)}


def _blocks(total: int, size: int) -> list[int]:
    size = max(1, size)
    return [min(size, total - start) for start in range(0, total, size)]
