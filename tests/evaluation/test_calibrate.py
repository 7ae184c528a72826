"""Calibration finds the constants with which a set's answers were made, and the midpoint that a loop finds."""

import numpy as np
import pytest
from support.images import noise_png

from negjax.errors import NegjaxError
from negjax.evaluation.calibrate import calibrate
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.language.splitter import split
from negjax.negation.calibration import write_calibration
from negjax.negation.table import METHODS, choose_method

WORDS = ["dog", "cat", "boat", "kite", "lamp", "drum", "moon", "tree", "fish", "shoe"]
PLANTED = {"subtract": ("weight", 0.7), "deo": ("away", 0.7), "projection": ("strength", 0.5), "lcse": ("slope", 80.0)}


@pytest.fixture(scope="module")
def questions(make_set):
    """questions(name, answers): a set of 80 questions with 4 negated options each and these answers."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(80):
        first = rng.permutation(10)[:8]
        options = [f"a {WORDS[a]} without a {WORDS[b]}" for a, b in first.reshape(4, 2)]
        rows.append({"media": noise_png(n % 13), "options": options})

    def make(name: str, answers: np.ndarray):
        return make_set(name, "mcq", "question", [row | {"answer": int(a)} for row, a in zip(rows, answers)])

    return make


def prepared(model, *sets):
    return prepare_eval_data(sets, model.preprocess, blind_texts=False, progress=False)


@pytest.mark.parametrize("method", PLANTED)
def test_a_planted_constant_is_found(model, questions, method):
    constant, value = PLANTED[method]
    planted = choose_method(f"{method},{constant}={value}", "clip")
    first = questions("first", np.zeros(80))
    answers = evaluate(model, prepared(model, first), scorer=planted.scorer(split), bootstrap=0, progress=False)
    data = questions("planted", answers.predictions["first"]["predicted"])
    fixed = ",midpoint=0.22" if method == "lcse" else ""
    found = calibrate(model, data, [choose_method(f"{method}{fixed}", "clip")], progress=False)
    assert found.methods[method].constants == {constant: value}
    assert found.methods[method].figure == 1
    assert found.plain < 1
    curve = dict(map(tuple, found.methods[method].curve[constant]))
    assert list(curve) == list(METHODS[method].grid[constant])
    assert max(curve.values()) == curve[value] == 1


def test_the_midpoint_lies_between_what_is_there_and_what_is_not(model, questions):
    data = questions("middle", np.arange(80) % 4)
    found = calibrate(model, data, [choose_method("lcse,slope=10", "clip")], progress=False)

    def unit(x):
        x = np.asarray(x, np.float64)
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    def cosine(row: int, name: str) -> float:
        forms = [f"a {name}", f"a photo of a {name}", f"an image of a {name}", f"a {name} in the image"]
        return float(unit(model.encode_text(model.tokenizer(forms))).mean(axis=0) @ images[row])

    from negjax.media.decoding import decode
    from negjax.media.images import to_pixels

    pixels = [to_pixels(decode(noise_png(n % 13), "test"), model.preprocess) for n in range(80)]
    images = unit(model.encode_image(np.stack(pixels)))
    there, not_there = [], []
    for n in range(80):
        _, first, _, _, second = data[n]["options"][n % 4].split()
        there.append(cosine(n, first))
        not_there.append(cosine(n, second))
    midpoint = (np.mean(there) + np.mean(not_there)) / 2
    assert found.methods["lcse"].constants == {"midpoint": pytest.approx(midpoint, abs=1e-6)}
    assert found.methods["lcse"].curve == {}


def test_a_calibration_is_used_and_its_own_set_is_remarked_on(model, questions, mcq_set, tmp_path, caplog):
    data = questions("fitted", np.arange(80) % 4)
    write_calibration(calibrate(model, data, choose_methods(["space"], model), progress=False), tmp_path / "c.json")
    chosen = choose_methods([f"space,constants={tmp_path / 'c.json'}"], model)
    results = evaluate_methods(model, prepared(model, data, mcq_set), chosen, bootstrap=0, progress=False)
    (evaluated,) = results.values()
    described = evaluated.results["model"]["negation"]
    assert described["origins"] == {"threshold": "calibrated on fitted"}
    assert described["calibrated_on"]["name"] == "fitted"
    tasks = evaluated.results["tasks"]
    assert any("fitted on this very set" in remark for remark in tasks["fitted"]["remarks"])
    assert "fitted on this very set" in caplog.text
    assert not any("very set" in remark for remark in tasks["questions"].get("remarks", []))


def test_what_cannot_be_calibrated(model, questions, make_set, zeroshot_set):
    data = questions("mistakes", np.arange(80) % 4)
    rows = [{"media": noise_png(n), "options": ["a dog", "a cat"], "answer": 0} for n in range(4)]
    plain = make_set("affirmed", "mcq", "question", rows)
    for chosen, on, message in (
        ("none", data, "negation none has no constants"),
        ("space,threshold=0.9", data, "every constant is given by hand"),
        ("space", plain, "set affirmed has no caption that space changes"),
    ):
        with pytest.raises(NegjaxError, match=message):
            calibrate(model, on, choose_methods([chosen], model), progress=False)
    with pytest.raises(NegjaxError, match="the batch size is 0"):
        calibrate(model, data, choose_methods(["space"], model), batch_size=0, progress=False)
    denied = [{"media": noise_png(n), "label": n % 2} for n in range(4)]
    names = make_set("denied", "zeroshot", "label", denied, classnames=["dog", "cat"], templates=["no {}"])
    with pytest.raises(NegjaxError, match="kind 'zeroshot': calibrate on questions or on a retrieval set"):
        calibrate(model, names, choose_methods(["space"], model), progress=False)


def test_on_a_retrieval_set_recall_is_maximised(model, retrieval_set):
    found = calibrate(model, retrieval_set, choose_methods(["subtract", "space"], model), progress=False)
    assert found.metric == "image_retrieval_recall@5"
    plain = evaluate(model, prepared(model, retrieval_set), bootstrap=0, progress=False).results["tasks"]["pictures"]
    assert found.plain == pytest.approx(plain["metrics"]["image_retrieval_recall@5"])
    weight = found.methods["subtract"].constants["weight"]
    chosen = choose_methods([f"subtract,weight={weight}"], model)
    (moved,) = evaluate_methods(model, prepared(model, retrieval_set), chosen, bootstrap=0, progress=False).values()
    metrics = moved.results["tasks"]["pictures"]["metrics"]
    assert found.methods["subtract"].figure == pytest.approx(metrics["image_retrieval_recall@5"])
    assert found.methods["subtract"].figure >= max(figure for _, figure in found.methods["subtract"].curve["weight"])
