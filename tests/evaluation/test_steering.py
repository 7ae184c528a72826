"""The steered text tower: nothing at strength 0, the directions alone at 1, and a plain loop over blocks between."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from support.images import noise_png
from support.models import tiny_model
from support.trees import unit

from negjax.errors import NegjaxError
from negjax.evaluation.calibrate import calibrate
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.language.splitter import split
from negjax.models.clip import module
from negjax.models.encoders import ENCODERS
from negjax.negation.calibration import write_calibration
from negjax.negation.scorer import Directions, SteeredText
from negjax.negation.steering import Steering

TEXTS = ["a beach without people", "no dog", "a dog"]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def directions(model):
    text = model.config.text
    rows = np.random.default_rng(0).normal(size=(text.depth, text.width))
    return Directions(tuple(map(tuple, unit(rows))))


def encode(model, directions, strength: float) -> np.ndarray:
    tokens = model.tokenizer(TEXTS)
    return np.asarray(model.encode_steered(tokens, SteeredText("", strength, directions)))


def test_strength_0_changes_nothing(model, directions):
    plain = np.asarray(model.encode_text(model.tokenizer(TEXTS)))
    np.testing.assert_allclose(encode(model, directions, 0.0), plain, atol=1e-5)


def test_strength_1_leaves_the_direction_alone(model, directions):
    tower = module(model.config, model.params).text
    last = jnp.array(directions.rows[-1], jnp.float32) * 7  # the layer norm takes any length away
    expected = unit(np.asarray(tower.projection(tower.norm_final(last))))
    np.testing.assert_allclose(unit(encode(model, directions, 1.0)), np.tile(expected, (3, 1)), atol=1e-5)


def test_each_block_is_followed_by_a_push(model, directions):
    """One text at a time, cut at its end token, so that the pooled token is the last."""
    tower = module(model.config, model.params).text
    for text, found in zip(TEXTS, encode(model, directions, 0.13)):
        tokens = model.tokenizer([text])
        tokens = tokens[:, : int(tokens[0].argmax()) + 1]
        x = np.asarray(tower.embed(jnp.asarray(tokens)))
        states = []
        for block, direction in zip(tower.transformer.in_order(), directions.rows):
            x = np.array(block(jnp.asarray(x)))
            x[0, -1] = 0.87 * x[0, -1] + 0.13 * np.linalg.norm(x[0, -1]) * np.array(direction)
            states.append(x[0, -1])
        np.testing.assert_allclose(found, tower.projection(tower.norm_final(jnp.asarray(x[0, -1]))), atol=1e-4)
    plain = np.asarray(model.block_states(model.tokenizer(TEXTS)))
    assert plain.shape == (model.config.text.depth, 3, model.config.text.width)
    np.testing.assert_allclose(
        tower.projection(tower.norm_final(jnp.asarray(plain[-1]))), model.encode_text(model.tokenizer(TEXTS)), atol=1e-4
    )


def test_other_towers_and_directions_are_refused(model, directions):
    fewer = Directions(directions.rows[1:])
    with pytest.raises(NegjaxError, match=r"directions of negation steering are \(\d+, \d+\), the text tower of test"):
        encode(model, fewer, 0.1)
    bert = dataclasses.replace(model, config=dataclasses.replace(model.config, text=ENCODERS["roberta-base"]))
    with pytest.raises(NegjaxError, match=r"needs CLIP's text transformer"):
        bert.check_steerable()
    with pytest.raises(NegjaxError, match="has no directions for this model"):
        model.encode_query("no dog", negation="steering")
    with pytest.raises(NegjaxError, match=r"strength is 1\.5, it must be from 0 to 1"):
        Steering(1.5)


@pytest.fixture(scope="module")
def data(make_set):
    words = ["dog", "cat", "boat", "kite", "lamp", "drum", "moon", "tree", "fish", "shoe"]
    rows = [
        {
            "media": noise_png(n % 7),
            "options": [f"a {words[n % 10]} without a {words[(n + 1 + n // 10) % 10]}", f"a {words[(n + 5) % 10]}"],
            "answer": n % 2,
        }
        for n in range(60)
    ]
    return make_set("steered", "binary_mcq", "question", rows)


def test_directions_are_fitted_stored_and_used(model, data, tmp_path):
    fitted = calibrate(model, data, choose_methods(["steering"], model), progress=False)
    rows = np.array(fitted.methods["steering"].directions)
    assert rows.shape == (model.config.text.depth, model.config.text.width)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    captions = [row["options"][0] for row in data.rows()]
    texts = [*(split(caption).affirmed for caption in captions), *captions, *captions[:8]]  # as many as in a batch
    state_LND = np.asarray(model.block_states(model.tokenizer(texts)))
    for direction, state_ND in zip(rows, state_LND):
        assert ((state_ND[60:120] - state_ND[:60]) @ direction > 0).mean() > 0.9
    path = tmp_path / "steering.json"
    write_calibration(fitted, path)
    method = f"steering,strength=0.3,constants={path}"
    plan = prepare_eval_data([data], model.preprocess, blind_texts=False, progress=False)
    (moved,) = evaluate_methods(model, plan, choose_methods([method], model), bootstrap=0, progress=False).values()
    assert moved.results["model"]["negation"]["constants"] == {"strength": 0.3}
    before = evaluate(model, plan, bootstrap=0, progress=False).predictions["steered"]
    after = moved.predictions["steered"]
    np.testing.assert_array_equal(after["score_1"], before["score_1"])  # which denies nothing
    queries = model.score(captions, np.eye(2, model.config.embed_dim), negation=method)
    vectors = model.encode_query(captions, negation=method)
    np.testing.assert_allclose(vectors[:, :2], queries, atol=1e-6)
    image_DE, _ = embed(model, plan, plan.captions, 256, progress=False)
    np.testing.assert_allclose(after["score_0"], [vectors[n] @ image_DE[n % 7] for n in range(60)], atol=1e-5)
    assert np.abs(after["score_0"] - before["score_0"]).max() > 1e-3


def test_too_few_pairs(model, make_set):
    rows = [{"media": noise_png(n), "options": ["no dog", "a cat"], "answer": 0} for n in range(30)]
    only_denied = make_set("only_denied", "binary_mcq", "question", rows)
    with pytest.raises(NegjaxError, match="needs 20 captions that affirm something and deny something, the set has 0"):
        calibrate(model, only_denied, choose_methods(["steering"], model), progress=False)
