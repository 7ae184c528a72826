"""Methods in whole evaluations: several share one run, captions that deny nothing keep their figures to the bit."""

import functools
import re

import numpy as np
import pytest
from support.images import noise_png

from negjax.evaluation.evaluate import evaluate, evaluate_scorers
from negjax.evaluation.prepare import prepare_eval_data
from negjax.language.parsed import Parsed
from negjax.negation.scorer import CosineScorer, Scorer
from negjax.negation.table import METHODS, choose_method

FITTED = [name for name in METHODS if name != "steering"]  # which needs directions of its model
NEGATED = re.compile(r"(?:a (?P<affirmed>.+?) but )?no (?P<denied>.+)")


@functools.cache
def split(caption: str) -> Parsed:
    """Reads the captions of conftest.py."""
    match = NEGATED.fullmatch(caption)
    if not match:
        return Parsed(caption, caption)
    affirmed, denied = match["affirmed"], match["denied"]
    if affirmed is None:
        return Parsed(caption, "", (), (denied,), "single")
    return Parsed(caption, f"a {affirmed}", (affirmed,), (denied,), "but_not")


def scorer(name: str) -> Scorer:
    return choose_method(name, "clip").scorer(split)


@pytest.fixture(scope="module")
def plain_sets(make_set):
    """Sets that deny nothing, of the kinds whose figures take another path for scores of several vectors."""
    captions = [{"media": noise_png(n), "captions": [f"a plain {n}", f"a thing {n % 3}"]} for n in range(9)]
    options = [{"media": noise_png(n), "options": [f"a {n}", "a cat"], "answer": n % 2} for n in range(9)]
    names = [{"media": noise_png(n), "label": n % 3} for n in range(9)]
    return [
        make_set("plain_captions", "retrieval", "captions", captions),
        make_set("plain_options", "binary_mcq", "question", options),
        make_set("plain_names", "zeroshot", "label", names, classnames=["dog", "cat", "key"], templates=["a {}", "{}"]),
    ]


@pytest.fixture(scope="module")
def plan(model, plain_sets, mcq_set, retrieval_set):
    sets = [*plain_sets, mcq_set, retrieval_set]
    return prepare_eval_data(sets, model.preprocess, blind_texts=False, progress=False)


@pytest.fixture(scope="module")
def results(model, plan):
    """The plain run alone, then every method and the plain cosine in one run."""
    alone = evaluate(model, plan, bootstrap=0, progress=False)
    names = ["none", *FITTED]
    together = evaluate_scorers(model, plan, [scorer(name) for name in names], bootstrap=0, progress=False)
    return alone, dict(zip(names, together))


def columns(results, name: str) -> list:
    return [np.asarray(column).tolist() for column in results.predictions[name].values()]


def test_the_plain_cosine_is_the_same_beside_methods(results):
    alone, together = results
    assert together["none"].results == alone.results
    for name in alone.predictions:
        assert columns(together["none"], name) == columns(alone, name)


@pytest.mark.parametrize("method", FITTED)
def test_what_denies_nothing_keeps_its_figures_to_the_bit(results, method):
    alone, together = results
    for name in ("plain_captions", "plain_captions.image_to_text", "plain_options", "plain_names"):
        assert columns(together[method], name) == columns(alone, name)
    for name in ("plain_captions", "plain_options", "plain_names"):
        assert together[method].results["tasks"][name] == alone.results["tasks"][name]


@pytest.mark.parametrize("method", FITTED)
def test_what_denies_something_gets_other_scores_and_other_blind_figures(results, method):
    alone, together = results
    for name in ("questions", "pictures"):
        assert columns(together[method], name) != columns(alone, name)
    blind = together[method].results["tasks"]["questions"]["blind"]
    assert blind["mean_image"] != alone.results["tasks"]["questions"]["blind"]["mean_image"]


@pytest.mark.parametrize("method", ["space", "lcse"])
def test_methods_in_one_run_equal_each_alone(model, plan, results, method):
    alone = evaluate(model, plan, scorer=scorer(method), bootstrap=0, progress=False)
    together = results[1][method]
    for name, task in alone.results["tasks"].items():
        assert together.results["tasks"][name]["metrics"] == task["metrics"]
    scores = [
        [columns[f"score_{i}"] for i in range(4)]
        for columns in (alone.predictions["questions"], together.predictions["questions"])
    ]
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_only_new_texts_are_encoded(model, mcq_set, tmp_path, monkeypatch):
    from negjax.evaluation.embed import embed as module

    encoded, encode_texts = [], module.encode_texts

    def counted(model, token_UT, index_N, batch_size):
        encoded.append(len(index_N))
        return encode_texts(model, token_UT, index_N, batch_size)

    monkeypatch.setattr(module, "encode_texts", counted)
    options = {"cache_dir": tmp_path, "bootstrap": 0, "progress": False}
    data = prepare_eval_data([mcq_set], model.preprocess, blind_texts=False, progress=False)
    evaluate(model, data, **options)
    captions = sum(encoded)
    encoded.clear()
    evaluate_scorers(model, data, [CosineScorer(), scorer("space"), scorer("deo")], **options)
    assert 0 < sum(encoded) < captions
    encoded.clear()
    evaluate(model, data, scorer=scorer("subtract"), **options)
    assert encoded == []
