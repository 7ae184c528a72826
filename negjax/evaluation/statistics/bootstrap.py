"""Metrics as means of credits, and their intervals when images (or groups of questions) are resampled.

Shapes: N items, U units that they belong to, S strata, B resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

MAX_WEIGHTS = 1 << 22  # weights held in memory at once
FEW_UNITS = 10  # below this number of units an interval is remarked on


@dataclass(frozen=True)
class Credits:
    """The credits that a metric is the mean of.

    Attributes:
        credit_N: in [0, 1], one for each item (a question, a caption, a group).
        unit_N: the unit that each item belongs to and is resampled with: its image, or its group.
        stratum_N: where given, the metric is the mean over strata (classes) of the means within them.
    """

    credit_N: np.ndarray
    unit_N: np.ndarray
    stratum_N: np.ndarray | None = None

    def mean(self) -> float:
        """The metric itself."""
        single_unit = replace(self, unit_N=np.zeros(len(self.credit_N), np.int64))
        return float(single_unit.weighted_means(np.ones((1, 1)))[0])

    def weighted_means(self, weight_BU: np.ndarray) -> np.ndarray:
        """The metric under each of B weightings of the U units [B]; NaN where no item has weight."""
        with np.errstate(invalid="ignore"):
            if self.stratum_N is None:
                units = weight_BU.shape[1]
                right_U = np.bincount(self.unit_N, self.credit_N, units)
                return weight_BU @ right_U / (weight_BU @ np.bincount(self.unit_N, minlength=units))
            weight_BN = weight_BU[:, self.unit_N]
            order = np.argsort(self.stratum_N, kind="stable")
            starts = np.unique(self.stratum_N[order], return_index=True)[1]
            total_BS = np.add.reduceat(weight_BN[:, order], starts, axis=1)
            right_BS = np.add.reduceat((weight_BN * self.credit_N)[:, order], starts, axis=1)
            present_BS = total_BS > 0
            mean_BS = np.where(present_BS, right_BS, 0) / np.where(present_BS, total_BS, 1)
            return mean_BS.sum(axis=1) / present_BS.sum(axis=1)


def figures(credits: Mapping[str, Credits]) -> dict[str, float]:
    """Each metric's value."""
    return {name: credit.mean() for name, credit in credits.items()}


def intervals(credits: Mapping[str, Credits], *, resamples: int = 1000, seed: int = 0) -> dict[str, list[float]]:
    """The 95 % percentile interval of each metric.

    Args:
        credits: what each metric is the mean of.
        resamples: draws of the metric's units with replacement.
        seed: of the draws; metrics over the same units get the same draws.

    Returns:
        Metric -> [low, high].
    """
    return {name: _interval(credit, resamples, seed) for name, credit in credits.items()}


def unit_remarks(credits: Mapping[str, Credits]) -> list[str]:
    """A remark on metrics whose intervals rest on so few units that they say little: bootstrapping sees no others."""
    metrics: dict[int, list[str]] = {}
    for name, credit in credits.items():
        if (units := len(np.unique(credit.unit_N))) < FEW_UNITS:
            metrics.setdefault(units, []).append(name)
    return [
        f"{', '.join(names)}: the interval says nothing, it rests on {units} of the units that are resampled (images, "
        "groups or queries)"
        for units, names in metrics.items()
    ]


def _interval(credits: Credits, resamples: int, seed: int) -> list[float]:
    """As `intervals`, of one metric, in blocks that fit in memory."""
    units, unit_N = np.unique(credits.unit_N, return_inverse=True)
    compact = Credits(credits.credit_N, unit_N, credits.stratum_N)
    rng, count = np.random.default_rng(seed), len(units)
    means = []
    for size in _blocks(resamples, MAX_WEIGHTS // (count if credits.stratum_N is None else len(unit_N))):
        weight_BU = np.stack([np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(size)])
        means.append(compact.weighted_means(weight_BU.astype(float)))
    return np.percentile(np.concatenate(means), [2.5, 97.5]).tolist()


def _blocks(total: int, size: int) -> list[int]:
    """Sizes of at most `size` (at least 1) that add up to the total."""
    size = max(1, size)
    return [min(size, total - start) for start in range(0, total, size)]
