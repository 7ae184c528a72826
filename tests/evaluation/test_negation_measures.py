"""Figures by operator, bias and interaction, and recall lost by a negation, against plain loops."""

import numpy as np
import pytest
from support.images import noise_png

from negjax.evaluation.choices import Questions
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.negation_measures import by_operator, decompose, delta_recall
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.tasks.queries import excluded_recall

CELLS = ("a_only", "b_only", "both", "neither")


def truth_tables(groups: int, seed: int) -> tuple[np.ndarray, Questions, np.ndarray, np.ndarray]:
    """Scores [group, image, caption] of truth tables, as questions whose options and rows stand in any order."""
    rng = np.random.default_rng(seed)
    table_G44 = rng.normal(size=(groups, 4, 4))
    rows = [(group, cell) for group in range(groups) for cell in range(4)]
    rng.shuffle(rows)
    order = [rng.permutation(4) for _ in rows]
    questions = Questions(
        np.array([4 * group + own for (group, _), own in zip(rows, order)]),
        np.array([int(np.flatnonzero(own == cell)[0]) for (_, cell), own in zip(rows, order)]),
        [CELLS[cell] for _, cell in rows],
        [[] for _ in rows],
        ["none"] * len(rows),
    )
    score_NO = np.array([table_G44[group, cell, own] for (group, cell), own in zip(rows, order)])
    return score_NO, questions, np.array([7 * group for group, _ in rows]), table_G44


def test_bias_and_interaction_equal_a_loop():
    score_NO, questions, group_N, table_G44 = truth_tables(12, 0)
    alphas, betas, gammas = [], [], []
    for table in table_G44:
        for first, second in (("a_only", "neither"), ("both", "b_only"), ("b_only", "neither"), ("both", "a_only")):
            pair = [CELLS.index(first), CELLS.index(second)]
            scores = table[np.ix_(pair, pair)]  # image, caption
            # Least squares on the design of S_ab = C + a beta + b alpha + a b gamma.
            design = np.array([[1, a, b, a * b] for a in (1, -1) for b in (1, -1)])
            _, beta, alpha, gamma = np.linalg.solve(design, scores.ravel())
            alphas.append(abs(alpha))
            betas.append(abs(beta))
            gammas.append(gamma)
    found = decompose(score_NO, questions, group_N)
    assert found["n"] == 48
    assert found["caption_bias"] == pytest.approx(np.mean(alphas))
    assert found["image_bias"] == pytest.approx(np.mean(betas))
    assert found["interaction"] == pytest.approx(np.mean(gammas))
    right = np.array(gammas) > np.maximum(alphas, betas)
    assert found["right"] == pytest.approx(right.mean())


def test_a_model_that_sees_nothing_has_no_interaction():
    score_NO, questions, group_N, _ = truth_tables(5, 1)
    by_caption = np.random.default_rng(2).normal(size=20)
    found = decompose(by_caption[questions.option_NO], questions, group_N)
    assert (found["image_bias"], found["interaction"], found["right"]) == (pytest.approx(0), pytest.approx(0), 0)
    assert found["caption_bias"] > 0.1
    other = Questions(questions.option_NO + 20 * np.arange(20)[:, None], *list(vars(questions).values())[1:])
    assert decompose(score_NO, other, group_N) == {}


def test_figures_by_operator():
    operators = ["single", "none", "neither", "single", "but_not"]
    found = by_operator(operators, np.array([1, 1, 0, 0.5, 1]), np.array([0, 1, 1, 0.5, 0]))
    assert found == {
        "NOT": {"n": 2, "accuracy": 0.75, "blind": 0.25},
        "BUT NOT": {"n": 1, "accuracy": 1, "blind": 0},
        "NEITHER": {"n": 1, "accuracy": 0, "blind": 1},
    }


def test_operators_and_decomposition_are_in_the_results(model, make_set):
    captions = ["a dog but no cat", "a cat but no dog", "a dog and a cat", "neither a dog nor a cat"]
    rows = [
        {"media": noise_png(4 * group + cell), "group": group, "options": captions, "answer": cell, "kind": CELLS[cell]}
        for group in range(3)
        for cell in range(4)
    ]
    data = make_set("tables", "truth_table", "question", rows)
    plan = prepare_eval_data([data], model.preprocess, blind_texts=False, progress=False)
    task = evaluate(model, plan, bootstrap=0, progress=False).results["tasks"]["tables"]
    assert {name: figures["n"] for name, figures in task["operators"].items()} == {"AND": 3, "BUT NOT": 6, "NEITHER": 3}
    assert task["operators"]["NEITHER"]["accuracy"] == task["metrics"]["neither_accuracy"]
    assert task["operators"]["AND"]["blind"] == task["blind"]["mean_image"]["both_accuracy"]
    assert task["decomposition"]["n"] == 12


def test_recall_lost_by_negation_is_between_tasks_about_the_same_media():
    def task(negated: bool, recall: float, media: str, kind: str = "retrieval") -> dict:
        metrics = {"image_retrieval_recall@5": recall, "text_retrieval_recall@5": 0.1}
        return {"kind": kind, "negated": negated, "metrics": metrics, "set": {"media": media, "questions": "q"}}

    tasks = {
        "plain": task(False, 0.75, "m"),
        "denied": task(True, 0.5, "m"),
        "elsewhere": task(True, 0.5, "n"),
        "questions": task(True, 0.5, "m", "mcq"),
    }
    assert delta_recall(tasks) == {"denied": {"plain": "plain", "image_retrieval_recall@5": 0.25}}


def test_recall_of_excluded_images_equals_a_loop():
    rng = np.random.default_rng(0)
    score_QN = rng.permuted(np.tile(np.arange(30.0), (6, 1)), axis=1)
    lost_QN = rng.random((6, 30)) < 0.2
    lost_QN[0], lost_QN[1:, 4] = False, True
    expected = []
    for k in (1, 5, 10):
        own = []
        for score_N, lost_N in zip(score_QN[1:], lost_QN[1:]):
            best = np.argsort(-score_N)[:k]
            own.append(lost_N[best].sum() / min(k, lost_N.sum()))
        expected.append(np.mean(own))
    np.testing.assert_allclose(excluded_recall(score_QN, lost_QN), expected)
    np.testing.assert_array_equal(excluded_recall(score_QN, lost_QN & False), 0)
