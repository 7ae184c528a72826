"""Paired comparisons: against all sign flips, SciPy, models that are equally good; credits as they are read back."""

import csv
import io
import itertools

import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.results import to_csv
from negjax.evaluation.statistics.paired import Comparison, compare
from negjax.evaluation.tasks.kind import item_credits


def test_p_is_the_share_of_all_sign_flips():
    rng = np.random.default_rng(0)
    for units in (1, 2, 5, 9):
        unit = np.concatenate([np.arange(units), rng.integers(units, size=3 * units)])
        a, b = rng.choice([0, 1 / 3, 1 / 2, 1], size=(2, len(unit)))
        sums = [(b - a)[unit == u].sum() for u in range(units)]
        flipped = [abs(np.dot(signs, sums)) for signs in itertools.product([-1, 1], repeat=units)]
        expected = np.mean([total >= abs(sum(sums)) - 1e-6 for total in flipped])
        found = compare(a, b, unit * 7 + 3)
        assert found.p_value == pytest.approx(expected)
        assert found.difference == pytest.approx(np.mean(b) - np.mean(a))
        assert (found.n, found.units) == (len(unit), units)


def test_units_that_do_not_differ_play_no_part():
    """Of 30 units three differ: all flips of these can be tried, and two of the eight go as far."""
    a, b = np.zeros(60), np.zeros(60)
    b[[0, 1, 2]] = 1
    a[40], b[10] = 1 / 3, 1 / 3
    assert compare(a, b, np.arange(60) % 30).p_value == 2 / 8


def test_random_flips_come_close_to_all_of_them():
    """17 units that differ are one too many to try all; a normal approximation of 400 more is independent of both."""
    difference = np.array([0.9, 0.2, -0.3, 0.8, 0.1, 0.4, -0.6, 0.7, 0.3, 0.5, -0.1, 0.2, 0.6, -0.4, 0.3, 0.2, 0.1])
    signs = 1 - 2 * (np.arange(1 << 17)[:, None] >> np.arange(17) & 1)
    exact = (np.abs(signs @ difference) >= difference.sum() - 1e-9).mean()
    zeros = np.zeros(17)
    assert compare(zeros, difference, np.arange(17)).p_value == pytest.approx(exact, abs=0.004)
    assert compare(zeros, difference, np.arange(17), permutations=99, seed=1).p_value * 100 % 1 == pytest.approx(0)

    from scipy.stats import norm

    many = np.random.default_rng(1).normal(0.08, 1, size=400)
    expected = 2 * norm.sf(abs(many.sum()) / np.sqrt((many**2).sum()))
    assert compare(np.zeros(400), many, np.arange(400)).p_value == pytest.approx(expected, abs=0.015)


def test_p_is_never_zero_and_one_where_nothing_differs():
    ones, zeros = np.ones(500), np.zeros(500)
    assert compare(zeros, ones, np.arange(500), permutations=999).p_value == 1 / 1000
    same = compare(ones, ones, np.arange(500))
    assert (same.difference, same.ci95, same.p_value, same.mcnemar) == (0, (0, 0), 1, 1)
    third = np.array([1 / 3, 1 / 3, 1 / 3])
    assert compare(third, np.array([1, 0, 0]), np.array([4, 4, 4])).p_value == 1


def test_mcnemar_is_the_binomial_test_on_the_items_that_differ():
    from scipy.stats import binomtest

    rng = np.random.default_rng(2)
    for n, gain in [(3, 0.5), (40, 0.3), (300, 0.1), (9000, 0.02)]:
        a = (rng.random(n) < 0.5).astype(float)
        b = (rng.random(n) < 0.5 + gain).astype(float)
        expected = binomtest(int((b > a).sum()), int((a != b).sum())).pvalue
        assert compare(a, b, rng.permutation(n), permutations=9, resamples=9).mcnemar == pytest.approx(
            expected, rel=1e-8
        )
    assert compare(a, b, np.arange(n) // 2, permutations=9, resamples=9).mcnemar is None
    assert compare(a / 2, b, np.arange(n), permutations=9, resamples=9).mcnemar is None


def test_models_that_are_equally_good_differ_in_five_of_a_hundred_cases():
    """Four questions per image, which both models tend to get right or wrong together: whole images are flipped."""
    rng = np.random.default_rng(3)
    image = np.repeat(np.arange(40), 4)
    found, apart = [], []
    for _ in range(200):
        a, b = (rng.random(160) < np.repeat(rng.beta(0.3, 0.3, size=40), 4) for _ in range(2))
        a, b = a.astype(float), b.astype(float)
        found.append(compare(a, b, image, permutations=499, resamples=2).p_value)
        apart.append(compare(a, b, np.arange(160), permutations=499, resamples=2).p_value)
    assert 0.01 <= np.mean(np.array(found) < 0.05) <= 0.095
    assert np.mean(np.array(apart) < 0.05) > 0.15  # as if its questions were independent


def test_copies_of_each_question_change_nothing():
    rng = np.random.default_rng(4)
    a, b, image = rng.random(60) < 0.5, rng.random(60) < 0.65, np.arange(60) // 2
    one = compare(a.astype(float), b.astype(float), image)
    three = compare(np.repeat(a, 3).astype(float), np.repeat(b, 3).astype(float), np.repeat(image, 3))
    assert three.p_value == one.p_value < 1
    assert three.ci95 == pytest.approx(one.ci95)
    assert three.difference == pytest.approx(one.difference)


def test_interval_of_the_difference_is_the_paired_one():
    """Models that agree on most items: far narrower than the two intervals apart would make it."""
    rng = np.random.default_rng(5)
    a = (rng.random(2000) < 0.5).astype(float)
    b = np.where(rng.random(2000) < 0.1, rng.random(2000) < 0.8, a).astype(float)
    found = compare(a, b, np.arange(2000))
    half = 1.96 * (b - a).std() / np.sqrt(2000)
    assert found.ci95 == pytest.approx((found.difference - half, found.difference + half), abs=0.003)
    other = compare(b, a, np.arange(2000))
    assert (other.difference, other.p_value) == (-found.difference, found.p_value)


def test_many_flips_do_not_depend_on_how_they_are_cut(monkeypatch):
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 400))
    whole = compare(a, b, np.arange(400), permutations=2000, resamples=9).p_value
    monkeypatch.setattr("negjax.evaluation.statistics.paired.MAX_SIGNS", 400 * 64)
    assert compare(a, b, np.arange(400), permutations=2000, resamples=9).p_value == whole


def rows(**columns) -> list[dict[str, str]]:
    """Columns as they are read back from a prediction file."""
    return list(csv.DictReader(io.StringIO(to_csv(columns))))


def credits_and_units(rows: list, kind: str, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    items = item_credits(rows, kind, metric)
    return items.credit_I, items.unit_I, items.labels


def questions(scores, **changed) -> list[dict[str, str]]:
    scores = np.asarray(scores, np.float32)
    columns = {
        "id": np.arange(10, 18),
        "group": np.repeat([5, 2], 4),
        "kind": ["a_only", "b_only", "both", "neither"] * 2,
        "answer": np.array([0, 1, 2, 3, 3, 2, 1, 0]),
        "predicted": scores.argmax(axis=1),
        **{f"score_{i}": scores[:, i] for i in range(4)},
        "image": np.array([10, 11, 11, 13, 10, 15, 16, 13]),
    }
    return rows(**columns | changed)


RIGHT = np.eye(4)[[0, 1, 2, 3, 3, 2, 1, 0]] / 3
HALF = RIGHT.copy()
HALF[0, 1] = HALF[0, 0]  # a tie with a wrong option
HALF[5] = [1, 0, 0, 0]


def test_credits_of_questions():
    credit, unit, _ = credits_and_units(questions(HALF), "truth_table", "accuracy")
    assert credit.tolist() == [0.5, 1, 1, 1, 1, 0, 1, 1]
    assert unit.tolist() == [10, 11, 11, 13, 10, 15, 16, 13]
    credit, unit, _ = credits_and_units(questions(HALF), "truth_table", "b_only_accuracy")
    assert (credit.tolist(), unit.tolist()) == ([1, 0], [11, 15])
    credit, unit, items = credits_and_units(questions(HALF), "truth_table", "group_accuracy")
    assert (credit.tolist(), unit.tolist()) == ([0, 0.5], [2, 5])
    assert len(items) == 2


def test_credits_of_ranks():
    """Ties share what they reach of the top k."""
    found = rows(caption_id=[0, 1, 2, 3], image_id=[7, 7, 8, 9], rank=[1, 5, 6, 4], ties=[0, 1, 0, 3])
    credit, unit, _ = credits_and_units(found, "retrieval", "image_retrieval_recall@5")
    assert (credit.tolist(), unit.tolist()) == ([1, 0.5, 0, 0.5], [7, 7, 8, 9])
    credit, unit, _ = credits_and_units(found, "pairs", "accuracy")
    assert (credit.tolist(), unit.tolist()) == ([1, 0, 0, 0], [7, 7, 8, 9])
    back = rows(image_id=[7, 8], caption_id=[1, 2], rank=[1, 1], ties=[1, 0])
    credit, unit, _ = credits_and_units(back, "retrieval", "text_retrieval_recall@1")
    assert (credit.tolist(), unit.tolist()) == ([0.5, 1], [7, 8])


def test_the_best_caption_of_an_image_may_differ_between_models():
    one = rows(image_id=[7, 8], caption_id=[1, 2], rank=[1, 1], ties=[0, 0])
    other = rows(image_id=[7, 8], caption_id=[0, 3], rank=[1, 2], ties=[0, 0])
    assert compared(one, other, "retrieval", "text_retrieval_recall@1").difference == -0.5
    items = [credits_and_units(each, "retrieval", "image_retrieval_recall@1")[2] for each in (one, other)]
    assert items[0] == ["caption 1 of image 7", "caption 2 of image 8"]
    assert items[0] != items[1]


def test_credits_of_names_and_queries():
    named = rows(
        id=[0, 1, 2],
        label=[4, 5, 6],
        predicted=[4, 1, 0],
        ties=[0, 1, 1],
        label_score=np.float32([0.1, 0.3, 1 / 3]),
        predicted_score=np.float32([0.1, 0.4, 1 / 3]),
        image=[0, 0, 2],
    )
    credit, unit, _ = credits_and_units(named, "zeroshot", "accuracy")
    assert (credit.tolist(), unit.tolist()) == ([1, 0, 0.5], [0, 0, 2])
    asked = rows(query_id=[0, 1], asked=[3, 4], excluded=[1, 2], **{"violation@10": [0.1, 0.25]})
    credit, unit, _ = credits_and_units(asked, "queries", "violation@10")
    assert (credit.tolist(), unit.tolist()) == ([0.1, 0.25], [0, 1])


def compared(one: list, other: list, kind: str, metric: str) -> Comparison:
    """Two prediction files about the same items."""
    credit_a, unit, items = credits_and_units(one, kind, metric)
    credit_b, _, others = credits_and_units(other, kind, metric)
    assert items == others
    return compare(credit_a, credit_b, unit)


def test_two_runs_on_the_same_questions():
    found = compared(questions(RIGHT), questions(HALF), "truth_table", "accuracy")
    assert (found.difference, found.n, found.units, found.mcnemar) == (-1.5 / 8, 8, 5, None)
    assert found.p_value == 1 / 2  # two of the five images differ: -0.5 and -1
    found = compared(questions(HALF), questions(RIGHT), "truth_table", "group_accuracy")
    assert (found.difference, found.n, found.units) == (0.75, 2, 2)


@pytest.mark.parametrize(
    ("changed", "metric"),
    [
        ({"id": np.arange(11, 19)}, "accuracy"),
        ({"answer": np.array([0, 1, 2, 3, 3, 2, 1, 1])}, "accuracy"),
        ({"group": np.repeat([5, 3], 4)}, "group_accuracy"),
        ({"kind": ["both"] * 8}, "both_accuracy"),
    ],
)
def test_other_questions_are_other_items(changed, metric):
    kinds = {"kind": ["a_only", "b_only", "both", "neither"] * 2} | changed
    one, other = (
        credits_and_units(rows, "truth_table", metric)[2] for rows in (questions(RIGHT), questions(RIGHT, **kinds))
    )
    assert one != other


@pytest.mark.parametrize(
    ("changed", "metric", "message"),
    [
        ({"score_2": np.full(8, np.nan)}, "accuracy", "damaged.*not finite"),
        ({"score_2": ["x"] * 8}, "accuracy", "damaged"),
        ({"answer": [9] * 8}, "accuracy", "damaged"),
        ({"image": [""] * 8}, "accuracy", "damaged"),
        ({"kind": ["both"] * 8}, "group_accuracy", "damaged.*group 2"),
        ({}, "hybrid_accuracy", "nothing that hybrid_accuracy is the mean of"),
        ({}, "image_retrieval_recall@5", "choose an accuracy"),
    ],
)
def test_damaged_predictions(changed, metric, message):
    with pytest.raises(NegjaxError, match=message) as error:
        credits_and_units(questions(RIGHT, **changed), "truth_table", metric)
    assert "\n" not in str(error.value)


def test_missing_columns_and_metrics_without_items():
    old = [{name: value for name, value in row.items() if name != "image"} for row in questions(RIGHT)]
    with pytest.raises(NegjaxError, match="no column 'image': evaluate this model again"):
        credits_and_units(old, "mcq", "accuracy")
    with pytest.raises(NegjaxError, match="empty"):
        credits_and_units([], "retrieval", "image_retrieval_recall@1")
    with pytest.raises(NegjaxError, match="choose a recall@k"):
        credits_and_units(old, "retrieval", "image_retrieval_recall@all")
    with pytest.raises(NegjaxError, match="choose accuracy"):
        credits_and_units(old, "zeroshot", "mean_class_accuracy")


def test_credits_read_back_are_those_of_the_results(model, mcq_set, truth_set, retrieval_set, zeroshot_set):
    sets = [mcq_set, truth_set, retrieval_set, zeroshot_set]
    result = evaluate(model, sets, batch_size=8, bootstrap=0, progress=False)
    seen = 0
    for name, task in result.results["tasks"].items():
        for metric, expected in task["metrics"].items():
            if metric == "mean_class_accuracy":
                continue
            file = f"{name}.image_to_text" if metric.startswith("text_retrieval") else name
            credit, unit, items = credits_and_units(rows(**result.predictions[file]), task["kind"], metric)
            assert credit.mean() == pytest.approx(expected)
            assert len(credit) == len(unit) == len(items) == len(set(items))
            seen += 1
    assert seen == 17
