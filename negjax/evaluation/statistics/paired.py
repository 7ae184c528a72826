"""Two models on the same items: how far apart they are, and whether chance alone would put them there.

Shapes: N items (questions, captions, images, groups, queries), U units (images, say) that the items belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation.statistics.bootstrap import Credits, intervals
from negjax.evaluation.tasks.mcq import choice_credit, group_credits
from negjax.evaluation.tasks.retrieval import Ranks

BLOCK = 1 << 22  # signs held at once
EXACT = 16  # up to so many units all sign flips are tried
TINY = 1e-9  # sums of credits closer than this are equal: credits like 1/3 do not add up exactly

Rows = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Comparison:
    """Model B against model A on n items in `units` units.

    difference: mean credit of B less that of A. ci95: its interval when units are drawn anew. p_value: of the
    sign-flip permutation test. mcnemar: exact p of McNemar's test, where every item has a unit of its own and is
    either right or wrong; else None.
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
    """Compares the credits of two models, item by item; items of one unit are never taken apart.

    If the models are equally good, swapping their names within a unit changes nothing, so each unit's summed
    difference is as likely to have the other sign. p is the share of sign flips of whole units whose total is at
    least as far from 0 as the observed one (two-sided): of all flips for up to 16 units that differ, else of
    `permutations` random ones, counting the observed one in, (b + 1) / (m + 1). Sources: Good, Permutation,
    Parametric and Bootstrap Tests of Hypotheses, 2005; Dror et al., The Hitchhiker's Guide to Testing Statistical
    Significance in NLP, 2018; Phipson and Smyth, Permutation P-values Should Never Be Zero, 2010.
    """
    difference_N = np.asarray(credit_b_N, np.float64) - credit_a_N
    units, unit_N = np.unique(unit_N, return_inverse=True)
    low, high = intervals({"": Credits(difference_N, unit_N)}, resamples=resamples, seed=seed)[""]
    alone = len(units) == len(difference_N) and bool(np.isin([credit_a_N, credit_b_N], (0, 1)).all())
    return Comparison(
        difference=float(difference_N.mean()),
        ci95=(low, high),
        p_value=_sign_flip(np.bincount(unit_N, difference_N), permutations, seed),
        n=len(difference_N),
        units=len(units),
        mcnemar=_mcnemar(int((difference_N > 0).sum()), int((difference_N < 0).sum())) if alone else None,
    )


def credits_of(rows: Rows, kind: str, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """From a prediction file's rows: each item's credit [N], its unit [N], and what it is, to tell whether two match.

    kind: the task's. metric: for questions "accuracy", "KIND_accuracy" or "group_accuracy"; for retrieval
    "image_retrieval_recall@K" from NAME.csv or "text_retrieval_recall@K" from NAME.image_to_text.csv; for zeroshot
    and pairs "accuracy"; for queries any of theirs. Units are groups for "group_accuracy", queries for queries, else
    images (where a caption looks for its image, rows of the set).
    Raises NegjaxError for a metric that is not the mean of such items, and for damaged rows.
    """
    if not rows:
        raise NegjaxError("the predictions are empty: evaluate this model again")
    ranked = kind == "retrieval" or (kind == "pairs" and "rank" in rows[0])
    read = _retrieval if ranked else {"zeroshot": _zeroshot, "queries": _queries}.get(kind, _questions)
    try:
        credit_N, unit_N, items = read(rows, metric)
    except KeyError as error:
        raise NegjaxError(f"the predictions have no column {error}: evaluate this model again") from error
    except (ValueError, TypeError, IndexError) as error:
        raise NegjaxError(f"the predictions are damaged ({error}): evaluate this model again") from error
    if not items:
        raise NegjaxError(f"the predictions hold nothing that {metric} is the mean of")
    return credit_N, unit_N, items


def _questions(rows: Rows, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if metric.endswith("_accuracy") and metric != "group_accuracy":
        rows = [row for row in rows if row["kind"] == metric.removesuffix("_accuracy")]
    elif metric not in ("accuracy", "group_accuracy"):
        raise NegjaxError(f"two runs cannot be compared question by question on {metric}: choose an accuracy")
    if not rows:
        return np.zeros(0), np.zeros(0, np.int64), []
    columns = [name for i in range(len(rows[0])) if (name := f"score_{i}") in rows[0]]
    credit_N = choice_credit(np.array([[float(row[name]) for name in columns] for row in rows]), _ints(rows, "answer"))
    items = [f"question {row['id']} with answer {row['answer']}" for row in rows]
    if metric != "group_accuracy":
        return credit_N, _ints(rows, "image"), items
    group_N = _ints(rows, "group")
    groups = group_credits(credit_N, [row["kind"] for row in rows], group_N)
    members: dict[int, list[str]] = {}
    for group, item in zip(group_N.tolist(), items):
        members.setdefault(group, []).append(item)
    return (
        groups.credit_N,
        groups.unit_N,
        [f"group {group} of {', '.join(members[group])}" for group in sorted(members)],
    )


def _retrieval(rows: Rows, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    name, _, k = ("image_retrieval_recall@1" if metric == "accuracy" else metric).partition("@")
    if name not in ("image_retrieval_recall", "text_retrieval_recall") or not k.isdecimal():
        raise NegjaxError(f"two runs cannot be compared query by query on {metric}: choose a recall@k")
    image_N, caption_N = _ints(rows, "image_id"), _ints(rows, "caption_id")
    if name == "image_retrieval_recall":
        query_N, right_N = caption_N, image_N
        items = [f"caption {caption} of image {image}" for caption, image in zip(caption_N, image_N)]
    else:  # which caption stands there is the model's choice: its best one of the image's own
        query_N, right_N = image_N, caption_N
        items = [f"image {image}" for image in image_N]
    ranks = Ranks(query_N, right_N, _ints(rows, "rank") - 1, _ints(rows, "ties"))
    return ranks.recall(int(k)), image_N, items


def _zeroshot(rows: Rows, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if metric != "accuracy":
        raise NegjaxError(f"two runs cannot be compared image by image on {metric}: choose accuracy")
    best_N = np.array([float(row["label_score"]) == float(row["predicted_score"]) for row in rows])
    items = [f"image {row['id']} with label {row['label']}" for row in rows]
    return best_N / (_ints(rows, "ties") + 1), _ints(rows, "image"), items


def _queries(rows: Rows, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    items = [f"query {row['query_id']} with {row['asked']} images asked, {row['excluded']} excluded" for row in rows]
    return np.array([float(row[metric]) for row in rows]), _ints(rows, "query_id"), items


def _ints(rows: Rows, column: str) -> np.ndarray:
    return np.array([int(row[column]) for row in rows], np.int64)


def _sign_flip(sum_U: np.ndarray, permutations: int, seed: int) -> float:
    """Two-sided p of the total of sum_U under flips of its signs; units that do not differ play no part."""
    sum_U = sum_U[np.abs(sum_U) > TINY]
    total, count = sum_U.sum(), len(sum_U)
    far = abs(total) - TINY
    if count <= EXACT:
        every_PU = np.arange(1 << count)[:, None] >> np.arange(count) & 1
        return float((np.abs(2 * (every_PU @ sum_U) - total) >= far).mean())
    rng, size, hits = np.random.default_rng(seed), max(1, BLOCK // count), 0
    for start in range(0, permutations, size):
        flips = min(size, permutations - start)
        bits = np.frombuffer(rng.bytes(-(-flips * count // 8)), np.uint8)
        plus_PU = np.unpackbits(bits, count=flips * count).reshape(flips, count)
        hits += int((np.abs(2 * (plus_PU @ sum_U) - total) >= far).sum())
    return (hits + 1) / (permutations + 1)


def _mcnemar(better: int, worse: int) -> float:
    """Two-sided exact p that of all items that differ so few, or fewer, go one way, each being a coin toss.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, 1947; the exact
    form is the binomial test.
    """
    tosses, i = better + worse, np.arange(min(better, worse))
    log_ways = np.concatenate([[0], np.cumsum(np.log((tosses - i) / (i + 1)))])  # of tosses over 0, 1, ... heads
    return min(1.0, 2 * float(np.exp(log_ways - tosses * np.log(2)).sum()))
