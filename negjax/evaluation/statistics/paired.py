"""Paired comparison of two models on the same items: their difference, and whether it is significant.

Shapes: N items (questions, captions, images, groups, queries), U units (images, say) that the items belong to, P
permutations.
"""

from dataclasses import dataclass

import numpy as np

from negjax.evaluation.statistics.bootstrap import Credits, intervals

MAX_SIGNS = 1 << 22  # signs held in memory at once
EXACT_UNITS = 16  # up to which all sign flips are enumerated
TOLERANCE = 1e-9  # sums of credits closer than this are equal: credits like 1/3 do not add up exactly


@dataclass(frozen=True)
class Comparison:
    """Model B compared with model A.

    Attributes:
        difference: mean credit of B less that of A.
        ci95: its interval when units are resampled.
        p_value: of the sign-flip permutation test.
        n: number of items.
        units: number of units.
        mcnemar: exact p of McNemar's test, where every item has a unit of its own and is either right or wrong; else
            None.
    """

    difference: float
    ci95: tuple[float, float]
    p_value: float
    n: int
    units: int
    mcnemar: float | None


def compare(
    credit_a_N: np.ndarray,
    credit_b_N: np.ndarray,
    unit_N: np.ndarray,
    *,
    permutations: int = 10_000,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compares the credits of two models item by item; items of one unit stay together.

    If the models are equally good, swapping them within a unit changes nothing, so each unit's summed difference is as
    likely to have the other sign. p is the share of sign flips of whole units whose total is at least as far from 0 as
    the observed one (two-sided): of all flips for up to 16 units that differ, else of `permutations` random ones,
    counting the observed one in, (b + 1) / (m + 1). Sources: Good, Permutation, Parametric and Bootstrap Tests of
    Hypotheses, 2005; Dror et al., The Hitchhiker's Guide to Testing Statistical Significance in NLP, 2018; Phipson and
    Smyth, Permutation P-values Should Never Be Zero, 2010.

    Args:
        credit_a_N: the credit of each item by model A.
        credit_b_N: that by model B.
        unit_N: the unit of each item.
        permutations: random sign flips.
        resamples: of the interval.
        seed: of both.
    """
    difference_N = np.asarray(credit_b_N, np.float64) - credit_a_N
    units, unit_N = np.unique(unit_N, return_inverse=True)
    low, high = intervals({"": Credits(difference_N, unit_N)}, resamples=resamples, seed=seed)[""]
    independent = len(units) == len(difference_N) and bool(np.isin([credit_a_N, credit_b_N], (0, 1)).all())
    return Comparison(
        difference=float(difference_N.mean()),
        ci95=(low, high),
        p_value=_sign_flip(np.bincount(unit_N, difference_N), permutations, seed),
        n=len(difference_N),
        units=len(units),
        mcnemar=_mcnemar(int((difference_N > 0).sum()), int((difference_N < 0).sum())) if independent else None,
    )


def _sign_flip(sum_U: np.ndarray, permutations: int, seed: int) -> float:
    """Two-sided p of the total of sum_U under flips of its signs; units that do not differ have no influence."""
    sum_U = sum_U[np.abs(sum_U) > TOLERANCE]
    total, count = sum_U.sum(), len(sum_U)
    threshold = abs(total) - TOLERANCE
    if count <= EXACT_UNITS:
        all_PU = np.arange(1 << count)[:, None] >> np.arange(count) & 1
        return float((np.abs(2 * (all_PU @ sum_U) - total) >= threshold).mean())
    rng, block, hits = np.random.default_rng(seed), max(1, MAX_SIGNS // count), 0
    for start in range(0, permutations, block):
        flips = min(block, permutations - start)
        bits = np.frombuffer(rng.bytes(-(-flips * count // 8)), np.uint8)
        plus_PU = np.unpackbits(bits, count=flips * count).reshape(flips, count)
        hits += int((np.abs(2 * (plus_PU @ sum_U) - total) >= threshold).sum())
    return (hits + 1) / (permutations + 1)


def _mcnemar(better: int, worse: int) -> float:
    """Two-sided exact p-value of McNemar's test: the items that differ would split evenly by chance.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, 1947; the exact form
    is the binomial test.
    """
    from scipy.stats import binomtest  # slow to import

    differing = better + worse
    return float(binomtest(better, differing).pvalue) if differing else 1.0
