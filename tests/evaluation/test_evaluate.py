"""A whole evaluation against a plain loop over the model, and what must not be evaluated."""

import dataclasses

import jax
import numpy as np
import pytest
from support.trees import unit

from negjax.errors import NegjaxError
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.prepare import prepare_eval_data
from negjax.media.decoding import decode
from negjax.media.images import to_pixels
from negjax.models.compute import Compute


def embed_image(model, media: bytes) -> np.ndarray:
    return unit(model.encode_image(to_pixels(decode(media, "test"), model.preprocess)[None])[0])


def embed_text(model, text: str) -> np.ndarray:
    return unit(model.encode_text(model.tokenizer([text], 77))[0])


@pytest.fixture(scope="module")
def result(model, mcq_set, retrieval_set, truth_set, zeroshot_set):
    sets = [mcq_set, retrieval_set, truth_set, zeroshot_set]
    return evaluate(model, sets, batch_size=8, bootstrap=50, progress=False)


def test_form_of_the_results(result):
    assert list(result.results) == ["model", "software", "tasks"]
    assert result.results["model"]["arch"] == "test"
    assert {"negjax", "jax", "flax", "numpy", "python", "backend", "devices"} <= set(result.results["software"])
    tasks = result.results["tasks"]
    assert {name: (task["kind"], task["negated"], task["n"]) for name, task in tasks.items()} == {
        "questions": ("mcq", False, 23),
        "pictures": ("retrieval", True, 25),
        "table": ("truth_table", False, 20),
        "names": ("zeroshot", False, 10),
    }
    for task in tasks.values():
        assert set(task["ci95"]) == set(task["metrics"])
        for metric, (low, high) in task["ci95"].items():
            assert 0 <= low <= high <= 1, metric
    by_kind = {"accuracy", "positive_accuracy", "negative_accuracy", "hybrid_accuracy"}
    assert set(tasks["questions"]["metrics"]) == by_kind
    shut = {"mean_image", "other_image", "text_only", "rule_longer_affirmation", "rule_absent_object"}
    assert set(tasks["questions"]["blind"]) == shut | {"text_only_from_table"}
    assert tasks["questions"]["source"] == {"file": "", "sha256": "", "rows": 23, "skipped": 0}
    assert all(set(blind) == by_kind for blind in tasks["questions"]["blind"].values())
    cells = {"accuracy", "a_only_accuracy", "b_only_accuracy", "both_accuracy", "neither_accuracy"}
    assert set(tasks["table"]["metrics"]) == cells | {"group_accuracy"}
    assert set(tasks["table"]["blind"]["mean_image"]) == cells | {"group_accuracy"}
    assert set(tasks["table"]["blind"]["other_image"]) == cells
    assert set(tasks["names"]["metrics"]) == {"accuracy", "mean_class_accuracy"}
    assert set(tasks["pictures"]["metrics"]) == {
        f"{side}_retrieval_recall@{k}" for side in ("image", "text") for k in (1, 5, 10)
    }


def test_questions_equal_a_loop(model, result, mcq_rows):
    columns, credit = result.predictions["questions"], []
    for n, row in enumerate(mcq_rows):
        image = embed_image(model, row["media"])
        scores = np.array([image @ embed_text(model, text) for text in row["options"]])
        found = [columns[f"score_{o}"][n] for o in range(4)]
        np.testing.assert_allclose(found, scores, atol=1e-6)
        best = np.array(found) == max(found)
        credit.append(best[row["answer"]] / best.sum())
        if n % 5 == 0:  # the right option stands there twice, once in capitals
            twin = (row["answer"] + 1) % 4
            assert found[row["answer"]] == found[twin]
    assert columns["predicted"].tolist() == [
        int(np.argmax([columns[f"score_{o}"][n] for o in range(4)])) for n in range(23)
    ]
    metrics = result.results["tasks"]["questions"]["metrics"]
    assert metrics["accuracy"] == pytest.approx(np.mean(credit))
    assert metrics["negative_accuracy"] == pytest.approx(np.mean(credit[1::3]))


def test_retrieval_equals_a_loop(model, result, retrieval_rows):
    images = [embed_image(model, row["media"]) for row in retrieval_rows]
    columns, caption_id, recall = result.predictions["pictures"], 0, []
    for n, row in enumerate(retrieval_rows):
        for text in row["captions"]:
            query = embed_text(model, text)
            rivals = [i for i in range(13) if i % 2 == n % 2 and i != n]
            same = [i for i in rivals if {i, n} == {2, 12}]
            better = sum(images[i] @ query > images[n] @ query for i in rivals if i not in same)
            assert columns["caption_id"][caption_id] == caption_id
            assert columns["image_id"][caption_id] == n
            assert columns["rank"][caption_id] == 1 + better
            assert columns["ties"][caption_id] == len(same)
            recall.append(np.clip(1 - better, 0, 1 + len(same)) / (1 + len(same)))
            caption_id += 1
    metrics = result.results["tasks"]["pictures"]["metrics"]
    assert metrics["image_retrieval_recall@1"] == pytest.approx(np.mean(recall))
    assert metrics["image_retrieval_recall@10"] == 1
    back = result.predictions["pictures.image_to_text"]
    assert list(back) == ["image_id", "caption_id", "rank", "ties"]
    assert back["image_id"].tolist() == list(range(13))
    owner = np.repeat(range(13), [len(row["captions"]) for row in retrieval_rows])
    assert owner[back["caption_id"]].tolist() == list(range(13))


def test_zero_shot_equals_a_loop(model, result, zeroshot_rows):
    classes = []
    for name in ("dog", "cat", "boat", "Dog"):
        mean = np.mean([embed_text(model, f"a picture of a {name}."), embed_text(model, name)], axis=0)
        classes.append(mean / np.linalg.norm(mean))
    columns = result.predictions["names"]
    for n, row in enumerate(zeroshot_rows):
        image = embed_image(model, row["media"])
        scores = [float(image @ name) for name in classes]
        assert columns["predicted_score"][n] == pytest.approx(max(scores), abs=1e-6)
        assert columns["label_score"][n] == pytest.approx(scores[n % 4], abs=1e-6)
        assert columns["ties"][n] == (columns["predicted"][n] == 0)  # "dog" and "Dog" are one class to the model


def test_braces_in_class_names_and_templates_are_themselves(model, make_set, zeroshot_rows):
    said = {"classnames": ["dog", "{dog}", "{0}", "{"], "templates": ["{a} {}", "{}"]}
    data = make_set("braces", "zeroshot", "label", zeroshot_rows, **said)
    columns = evaluate(model, [data], bootstrap=0, progress=False).predictions["braces"]
    prompts = [embed_text(model, "{a} {dog}"), embed_text(model, "{dog}")]
    mean = np.mean(prompts, axis=0) / np.linalg.norm(np.mean(prompts, axis=0))
    expected = embed_image(model, zeroshot_rows[1]["media"]) @ mean
    assert columns["label_score"][1] == pytest.approx(expected, abs=1e-6)


def test_equal_things_are_embedded_once(model, mcq_set, retrieval_set, mcq_rows, retrieval_rows):
    plan = prepare_eval_data([mcq_set, retrieval_set], model.preprocess)
    assert len(plan.images.origins) == 12
    texts = [text for row in mcq_rows for text in row["options"]]
    texts += [text for row in retrieval_rows for text in row["captions"]]
    assert plan.captions == list(dict.fromkeys(texts))
    media, captions = embed(model, plan, plan.captions, 256, progress=False)
    assert len(media) == 12
    by_case = {text.lower(): vector for text, vector in zip(plan.captions, captions)}
    assert len(plan.tokens.token_UT) == len(by_case) < len(plan.captions) == len(captions)
    for text, vector in zip(plan.captions, captions):
        np.testing.assert_array_equal(vector, by_case[text.lower()])


def test_a_plan_serves_several_models_and_decodes_once(model, mcq_set, monkeypatch):
    plan = prepare_eval_data([mcq_set], model.preprocess)
    first = evaluate(model, plan, batch_size=4, bootstrap=0, progress=False).results["tasks"]
    assert first["questions"]["ci95"] == {}
    whole = evaluate(model, [mcq_set], bootstrap=0, progress=False).results["tasks"]
    assert first == whole
    monkeypatch.setattr(type(plan.images), "decode", None)  # reading again would fail
    other = dataclasses.replace(model, params=jax.tree.map(lambda x: x * 1.1, model.params))
    second = evaluate(other, plan, batch_size=4, bootstrap=0, progress=False).results["tasks"]
    assert second != first
    assert evaluate(model, plan, batch_size=4, bootstrap=0, progress=False).results["tasks"] == first
    small = dataclasses.replace(model, preprocess=dataclasses.replace(model.preprocess, size=16))
    with pytest.raises(NegjaxError, match="another preprocessing"):
        evaluate(small, plan, progress=False)


@pytest.mark.parametrize("tower", ["visual", "text"])
def test_a_model_that_says_the_same_of_everything_is_at_chance(model, mcq_set, retrieval_set, truth_set, tower):
    params = model.params | {tower: jax.tree.map(np.zeros_like, model.params[tower])}
    constant = dataclasses.replace(model, params=params)
    result = evaluate(constant, [mcq_set, retrieval_set, truth_set], bootstrap=0, progress=False)
    tasks = result.results["tasks"]
    for name in ("questions", "table"):
        assert tasks[name]["metrics"]["accuracy"] == 0.25
        assert tasks[name]["blind"]["mean_image"]["accuracy"] == 0.25
        assert tasks[name]["blind"]["other_image"]["accuracy"] == pytest.approx(0.25)
    assert tasks["table"]["metrics"]["group_accuracy"] == 0.25**4
    sizes = np.array([7 if n % 2 == 0 else 6 for n in range(13) for _ in range(1 + n % 3)])
    for k in (1, 5, 10):
        expected = np.mean(np.minimum(k, sizes) / sizes)
        assert tasks["pictures"]["metrics"][f"image_retrieval_recall@{k}"] == pytest.approx(expected)


@pytest.mark.parametrize(("tower", "what"), [("visual", "image"), ("text", "caption")])
def test_embeddings_that_are_not_finite_are_an_error(model, mcq_set, tower, what):
    params = model.params | {tower: jax.tree.map(lambda x: x * np.nan, model.params[tower])}
    with pytest.raises(NegjaxError, match=f"embedding of the {what} in set questions, row 0 is not finite"):
        evaluate(dataclasses.replace(model, params=params), [mcq_set], progress=False)


def test_sets_that_must_not_be_evaluated(model, make_set, mcq_rows):
    with pytest.raises(NegjaxError, match="no set to evaluate"):
        evaluate(model, [], progress=False)
    altered = make_set("small", "mcq", "question", mcq_rows, altered="resized to 32")
    with pytest.raises(NegjaxError, match=r"set small was altered .*resized to 32"):
        evaluate(model, [altered], progress=False)
    training = make_set("lessons", "train", "question", mcq_rows)
    with pytest.raises(NegjaxError, match="set lessons is of kind 'train'"):
        evaluate(model, [training], progress=False)
    uneven = [row | {"options": row["options"][: 2 + (n != 5) * 2], "answer": 0} for n, row in enumerate(mcq_rows)]
    with pytest.raises(NegjaxError, match="set uneven, row 5 has 2 options"):
        evaluate(model, [make_set("uneven", "mcq", "question", uneven)], progress=False)
    broken = [row | {"media": row["media"][:200]} if n == 4 else row for n, row in enumerate(mcq_rows)]
    with pytest.raises(NegjaxError, match="set broken, row 4"):
        evaluate(model, [make_set("broken", "mcq", "question", broken)], progress=False)
    torn = make_set("torn", "truth_table", "question", mcq_rows)
    with pytest.raises(NegjaxError, match="set torn: group 0"):
        evaluate(model, [torn], progress=False)


def test_an_empty_caption_is_scored_with_a_warning(model, make_set, retrieval_rows, caplog):
    rows = [row | {"captions": ["", *row["captions"][1:]]} if n == 3 else row for n, row in enumerate(retrieval_rows)]
    data = make_set("blank", "retrieval", "captions", rows)
    result = evaluate(model, [data], bootstrap=0, progress=False)
    assert result.results["tasks"]["blank"]["n"] == 25
    assert "1 empty caption" in caplog.text


def test_bfloat16_rounds_scores_and_is_recorded(model, mcq_set, result, tmp_path):
    """Embeddings that were kept in float32 do not serve it."""
    rounded = dataclasses.replace(model, compute=Compute(dtype="bfloat16"))
    scores = []
    for of in (model, rounded):
        found = evaluate(of, [mcq_set], cache_dir=tmp_path, bootstrap=0, progress=False)
        scores.append(np.array([found.predictions["questions"][f"score_{i}"] for i in range(4)], np.float64))
        assert found.results["model"].get("dtype", "float32") == of.compute.dtype
    assert "dtype" not in result.results["model"]
    assert 1e-5 < np.abs(scores[1] - scores[0]).max() < 3e-2
