"""Negated queries with labels: does "a dog, but no frisbee" bring pictures with dogs and without frisbees?

NegBench counts one picture as right although many fit; here every picture that the labels allow counts.
Shapes: Q queries, N images, E embedding width. Ties are credited by expectation.
"""

from math import comb

import numpy as np

from negjax.evaluation.statistics.bootstrap import Credits
from negjax.evaluation.tasks.zeroshot import class_scores

TOP = (1, 5, 10)


def query_scores(image_NE: np.ndarray, query_QE: np.ndarray) -> np.ndarray:
    """Cosine of each query with each image, float32 [Q, N]; equal ones tie exactly."""
    return class_scores(query_QE, image_NE)


def query_credits(score_QN: np.ndarray, asked_QN: np.ndarray, excluded_QN: np.ndarray) -> dict[str, Credits]:
    """The metrics over queries, of the images with the k highest scores:

    violation@k: the share that holds something that the query excludes; less is better.
    precision@k: the share that holds all that is included and nothing that is excluded.
    multi_positive_recall@k: whether any such image is among them.
    r_precision: precision at as many images as there are such ones.
    """
    unit_Q = np.arange(len(score_QN))
    found: dict[str, list[float]] = {}
    for score_N, asked_N, excluded_N in zip(score_QN, asked_QN, excluded_QN):
        for k in TOP:
            found.setdefault(f"violation@{k}", []).append(top_share(score_N, excluded_N, k))
        for k in TOP:
            found.setdefault(f"precision@{k}", []).append(top_share(score_N, asked_N, k))
        for k in TOP:
            found.setdefault(f"multi_positive_recall@{k}", []).append(top_any(score_N, asked_N, k))
        found.setdefault("r_precision", []).append(top_share(score_N, asked_N, int(asked_N.sum())))
    return {name: Credits(np.array(values), unit_Q) for name, values in found.items()}


def top_share(score_N: np.ndarray, is_so_N: np.ndarray, k: int) -> float:
    """Expected share of those that are so among the k with the highest scores (all, if there are fewer than k)."""
    k = min(k, len(score_N))
    above_N, equal_N = _cut(score_N, k)
    drawn = k - above_N.sum()
    return float((is_so_N[above_N].sum() + drawn * is_so_N[equal_N].mean()) / k)


def top_any(score_N: np.ndarray, is_so_N: np.ndarray, k: int) -> float:
    """The chance that any that is so is among the k with the highest scores."""
    k = min(k, len(score_N))
    above_N, equal_N = _cut(score_N, k)
    if is_so_N[above_N].any():
        return 1.0
    equal, so, drawn = int(equal_N.sum()), int(is_so_N[equal_N].sum()), int(k - above_N.sum())
    return 1 - comb(equal - so, drawn) / comb(equal, drawn)


def _cut(score_N: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Which score more than the k-th highest, and which the same."""
    edge = np.partition(score_N, len(score_N) - k)[len(score_N) - k]
    return score_N > edge, score_N == edge
