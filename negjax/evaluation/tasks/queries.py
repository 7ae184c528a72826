"""Negated queries with labels, the kind "queries": does "a dog, but no frisbee" return dogs without frisbees?

NegBench counts one image as right although many fit; here every image that the labels allow counts. Ties are credited
by expectation.
Shapes: Q queries, N images, D distinct media and C distinct captions of the evaluation, E embedding width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.embed.vectors import cosine_matrix
from negjax.evaluation.eval_data import Task
from negjax.evaluation.statistics.bootstrap import Credits, figures
from negjax.evaluation.tasks.kind import (
    AddCaption,
    Columns,
    ItemCredits,
    PredictionRow,
    TaskKind,
    TaskScores,
    int_column,
)
from negjax.negation.scorer import CaptionVectors

TOP = (1, 5, 10)


@dataclass
class NegatedQueries:
    """The queries of a set, and the rows that fit them.

    Attributes:
        query_Q: each query, as an index of captions.
        plain_Q: the same query without what it excludes.
        relevant_QN: rows that hold all that the query includes and nothing that it excludes.
        excluded_QN: rows that hold something that the query excludes.
        lost_QN: rows that the plain query asks for, and the negated one excludes.
    """

    query_Q: np.ndarray
    plain_Q: np.ndarray
    relevant_QN: np.ndarray
    excluded_QN: np.ndarray
    lost_QN: np.ndarray


def _read(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> NegatedQueries:
    queries = data.metadata["queries"]
    index_Q2 = [[add_caption(query[form], 0) for form in ("text", "plain")] for query in queries]
    names = sorted({name for query in queries for name in (*query["includes"], *query["excludes"])})
    holds = {name: np.array([name in row["positive_objects"] for row in rows]) for name in names}
    included_QN = np.stack([np.all([holds[name] for name in query["includes"]], axis=0) for query in queries])
    excluded_QN = np.stack([np.any([holds[name] for name in query["excludes"]], axis=0) for query in queries])
    relevant_QN = included_QN & ~excluded_QN
    if len(unanswered := np.flatnonzero(~relevant_QN.any(axis=1))):
        text = queries[unanswered[0]]["text"]
        raise NegjaxError(f"set {data.name}: no image fits the query {text!r}; derive the set again")
    query_Q, plain_Q = np.array(index_Q2, np.int64).T
    return NegatedQueries(query_Q, plain_Q, relevant_QN, excluded_QN, included_QN & excluded_QN)


def _score(
    task: Task, media_DE: np.ndarray, captions: CaptionVectors, text_credits: Mapping[str, np.ndarray]
) -> TaskScores:
    content: NegatedQueries = task.content
    image_NE = media_DE[task.media_N]

    def scores_of(query_Q: np.ndarray) -> np.ndarray:
        return captions.scores(lambda vector_CE: cosine_matrix(vector_CE[query_Q], image_NE), query_Q[:, None])

    score_QN, plain_QN = scores_of(content.query_Q), scores_of(content.plain_Q)
    credits = query_credits(score_QN, content.relevant_QN, content.excluded_QN)
    random_image = query_credits(np.zeros(content.relevant_QN.shape), content.relevant_QN, content.excluded_QN)
    columns: Columns = {
        "query_id": np.arange(len(content.query_Q)),
        "asked": content.relevant_QN.sum(axis=1),
        "excluded": content.excluded_QN.sum(axis=1),
        **{name: credit.credit_N for name, credit in credits.items()},
    }
    plain = query_credits(plain_QN, content.relevant_QN, content.excluded_QN)
    blind = {"random_image": figures(random_image), "plain_query": figures(plain)}
    delta = excluded_recall(plain_QN, content.lost_QN) - excluded_recall(score_QN, content.lost_QN)
    deltas = {f"excluded_recall@{k}": value for k, value in zip(TOP, delta.tolist())}
    details = {"delta_recall": {"plain": "plain query"} | deltas}
    return TaskScores(len(content.query_Q), credits, {"": columns}, blind, details if content.lost_QN.any() else {})


def excluded_recall(score_QN: np.ndarray, lost_QN: np.ndarray) -> np.ndarray:
    """How many of the images that a negation excludes are among the k best, of as many as could be.

    The recall of a plain query less that of its negation is delta R of nT2VR (arXiv 2205.00132): the negation is false
    of these images, so it should find fewer of them.

    Args:
        score_QN: scores.
        lost_QN: the images that hold all that the query includes and something that it excludes; queries without any
            are left out.

    Returns:
        The mean over queries, for each k of TOP.
    """
    recalls = [
        [top_share(score_N, lost_N, k) * min(k, len(score_N)) / min(k, len(score_N), lost_N.sum()) for k in TOP]
        for score_N, lost_N in zip(score_QN, lost_QN)
        if lost_N.any()
    ]
    return np.mean(recalls, axis=0) if recalls else np.zeros(len(TOP))


def query_credits(score_QN: np.ndarray, relevant_QN: np.ndarray, excluded_QN: np.ndarray) -> dict[str, Credits]:
    """Credits of the metrics over queries, all about the images with the k highest scores.

    Returns:
        violation@k: the share that holds something that the query excludes; lower is better.
        precision@k: the share that holds all that is included and nothing that is excluded.
        multi_positive_recall@k: whether any such image is among them.
        r_precision: precision at as many images as there are such ones.
    """
    unit_Q = np.arange(len(score_QN))
    values: dict[str, list[float]] = {}
    for score_N, relevant_N, excluded_N in zip(score_QN, relevant_QN, excluded_QN):
        for k in TOP:
            values.setdefault(f"violation@{k}", []).append(top_share(score_N, excluded_N, k))
        for k in TOP:
            values.setdefault(f"precision@{k}", []).append(top_share(score_N, relevant_N, k))
        for k in TOP:
            values.setdefault(f"multi_positive_recall@{k}", []).append(top_any(score_N, relevant_N, k))
        values.setdefault("r_precision", []).append(top_share(score_N, relevant_N, int(relevant_N.sum())))
    return {name: Credits(np.array(value_Q), unit_Q) for name, value_Q in values.items()}


def top_share(score_N: np.ndarray, hit_N: np.ndarray, k: int) -> float:
    """Expected share of hits among the k images with the highest scores (all, if there are fewer than k)."""
    k = min(k, len(score_N))
    above_N, equal_N = _split_at(score_N, k)
    drawn = k - above_N.sum()
    return float((hit_N[above_N].sum() + drawn * hit_N[equal_N].mean()) / k)


def top_any(score_N: np.ndarray, hit_N: np.ndarray, k: int) -> float:
    """The probability that any hit is among the k images with the highest scores."""
    k = min(k, len(score_N))
    above_N, equal_N = _split_at(score_N, k)
    if hit_N[above_N].any():
        return 1.0
    equal, hits, drawn = int(equal_N.sum()), int(hit_N[equal_N].sum()), int(k - above_N.sum())
    return 1 - comb(equal - hits, drawn) / comb(equal, drawn)


def _split_at(score_N: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images score more than the k-th highest, and which the same."""
    edge = np.partition(score_N, len(score_N) - k)[len(score_N) - k]
    return score_N > edge, score_N == edge


def _items(rows: Sequence[PredictionRow], metric: str) -> ItemCredits:
    """The items of any metric; each query is its own unit."""
    labels = [f"query {row['query_id']} with {row['asked']} images asked, {row['excluded']} excluded" for row in rows]
    return ItemCredits(np.array([float(row[metric]) for row in rows]), int_column(rows, "query_id"), labels)


QUERIES = TaskKind(
    read=_read,
    score=_score,
    item_credits=_items,
    main_metrics=("violation@10", "precision@10"),
    lower_is_better=frozenset(f"violation@{k}" for k in TOP),
    main_blind=("random_image",),
    note="Violation is the share of the first k images that contain what the query excludes: lower is better. The "
    "blind figure of queries is that of images drawn at random.",
)
