"""Pairs, negated queries, affirmation sets and clips, each against a loop."""

import io
from itertools import permutations

import av
import numpy as np
import pytest
from PIL import Image
from support.images import noise_png
from support.trees import unit

from negjax.datasets.stored.store import open_set, write_set
from negjax.errors import NegjaxError
from negjax.evaluation.choices import confusion
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.embed.vectors import unit_rows
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.media import VideoSampling
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.tasks.affirmation import Sentences, principal_components, text_separation
from negjax.evaluation.tasks.queries import query_credits, top_any, top_share
from negjax.media.images import to_pixels

OBJECTS = ["a dog", "a cat", "a kite"]
TEMPLATES = {
    "affirmation": "This image includes {a}",
    "negation": "This image does not include {a}",
    "both": "{a}, no {b}",
}


def image_of(model, media: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(media)).convert("RGB")
    return unit(model.encode_image(to_pixels(image, model.preprocess)[None]))[0]


def text_of(model, text: str) -> np.ndarray:
    return unit(model.encode_text(model.tokenizer([text], 77)))[0]


def test_pairs_of_captions(model, make_set):
    rows = [{"media": noise_png(n), "options": [f"a {n} dog", f"no {n} dog"], "answer": 0} for n in range(6)]
    result = evaluate(model, [make_set("pairs", "pairs", "question", rows)], bootstrap=20, progress=False)
    task = result.results["tasks"]["pairs"]
    right = [
        image_of(model, row["media"]) @ text_of(model, row["options"][0])
        > image_of(model, row["media"]) @ text_of(model, row["options"][1])
        for row in rows
    ]
    assert (task["kind"], task["metrics"]) == ("pairs", {"accuracy": np.mean(right)})
    assert set(task["blind"]) == {"mean_image", "other_image"}


def test_pairs_of_pictures(model, make_set):
    """One caption and two or three candidates; the right one has it."""
    rows, right = [], []
    for group in range(8):
        for candidate in range(2 + group % 2):
            captions = [f"a dog without {group} hats"] if candidate == group % 2 else []
            rows.append({"media": noise_png(10 * group + candidate), "group": group, "captions": captions})
        query = text_of(model, f"a dog without {group} hats")
        scores = [image_of(model, row["media"]) @ query for row in rows if row["group"] == group]
        right.append(np.argmax(scores) == group % 2)
    task = evaluate(model, [make_set("crops", "pairs", "captions", rows)], progress=False).results["tasks"]["crops"]
    assert (task["kind"], task["n"], task["metrics"]) == ("pairs", 8, {"accuracy": np.mean(right)})
    assert set(task["ci95"]) == {"accuracy"}
    assert 0 <= task["blind"]["mean_text"]["accuracy"] <= 1


@pytest.fixture(scope="module")
def query_rows():
    held = [["dog"], ["dog", "cat"], ["cat"], [], ["dog", "kite"], ["kite", "cat"], ["dog"], ["dog", "cat", "kite"]]
    return [{"media": noise_png(30 + n), "positive_objects": names} for n, names in enumerate(held)]


QUERIES = [
    {"text": "a dog but no cat", "plain": "a dog", "includes": ["dog"], "excludes": ["cat"]},
    {"text": "a cat without a kite", "plain": "a cat", "includes": ["cat"], "excludes": ["kite"]},
]


def test_negated_queries_equal_a_loop(model, make_set, query_rows):
    data = make_set("queries", "queries", "objects", query_rows, queries=QUERIES)
    result = evaluate(model, [data], bootstrap=20, progress=False)
    task, images = result.results["tasks"]["queries"], [image_of(model, row["media"]) for row in query_rows]
    for form, found in (("text", task["metrics"]), ("plain", task["blind"]["plain_query"])):
        violation, precision, recall, at_r = [], [], [], []
        for query in QUERIES:
            order = np.argsort([-(image @ text_of(model, query[form])) for image in images])
            holds = [set(query_rows[i]["positive_objects"]) for i in order]
            bad = np.array([bool(each & set(query["excludes"])) for each in holds])
            good = np.array([each >= set(query["includes"]) for each in holds]) & ~bad
            violation.append(bad[:5].mean())
            precision.append(good[:5].mean())
            recall.append(good[:1].any())
            at_r.append(good[: good.sum()].mean())
        assert found["violation@5"] == pytest.approx(np.mean(violation))
        assert found["precision@5"] == pytest.approx(np.mean(precision))
        assert found["multi_positive_recall@1"] == pytest.approx(np.mean(recall))
        assert found["r_precision"] == pytest.approx(np.mean(at_r))
        assert found["violation@10"] == pytest.approx(0.5 * (4 / 8 + 3 / 8))  # there are only eight pictures
    assert task["blind"]["random_image"]["precision@1"] == pytest.approx(0.5 * (3 / 8 + 2 / 8))
    columns = result.predictions["queries"]
    assert (columns["asked"].tolist(), columns["excluded"].tolist()) == ([3, 2], [4, 3])


def test_a_query_that_no_picture_answers_is_an_error(model, make_set, query_rows):
    asked = [{"text": "a hat but no dog", "plain": "a hat", "includes": ["hat"], "excludes": ["dog"]}]
    with pytest.raises(NegjaxError, match="no image fits the query 'a hat but no dog'"):
        evaluate(model, [make_set("hats", "queries", "objects", query_rows, queries=asked)], progress=False)


def test_ties_among_pictures_are_shared_by_expectation():
    """Against all orders of the equal ones."""
    score, so = np.array([3, 2, 2, 2, 1.0]), np.array([False, True, False, False, True])
    orders = [[0, *middle, 4] for middle in permutations([1, 2, 3])]
    for k in range(1, 6):
        assert top_share(score, so, k) == pytest.approx(np.mean([so[order[:k]].mean() for order in orders]))
        assert top_any(score, so, k) == pytest.approx(np.mean([so[order[:k]].any() for order in orders]))
    constant = query_credits(np.zeros((1, 5)), so[None], ~so[None])
    assert constant["violation@1"].mean() == pytest.approx(0.6)
    assert constant["precision@10"].mean() == pytest.approx(0.4)


def test_affirmation_sets(model, make_set):
    rows = []
    for n in range(8):
        for kind in ("present", "absent"):
            name = OBJECTS[(n + (kind == "absent")) % 3]
            options = [TEMPLATES["affirmation"].format(a=name), TEMPLATES["negation"].format(a=name)]
            rows.append({"media": noise_png(50 + n), "options": options, "answer": int(kind == "absent"), "kind": kind})
            rows[-1]["option_kinds"] = ["affirmation", "negation"]
    more = {"objects": OBJECTS, "bias_templates": TEMPLATES}
    result = evaluate(model, [make_set("bias", "affirmation", "question", rows, **more)], bootstrap=0, progress=False)
    task = result.results["tasks"]["bias"]
    metrics = task["metrics"]
    assert set(metrics) == {"accuracy", "present_accuracy", "absent_accuracy"}
    for kind, wrong in (("present", "negation"), ("absent", "affirmation")):
        assert set(task["confusion"][kind]) == {"right", wrong}
        assert task["confusion"][kind]["right"] == pytest.approx(metrics[f"{kind}_accuracy"])
    assert sum(task["confusion"]["absent"].values()) == pytest.approx(1)
    separation = task["affirmation_bias"]
    assert separation["image_separation"] == pytest.approx(
        (metrics["present_accuracy"] + metrics["absent_accuracy"]) / 2
    )
    yes = [text_of(model, TEMPLATES["affirmation"].format(a=name)) for name in OBJECTS]
    no = [text_of(model, TEMPLATES["negation"].format(a=name)) for name in OBJECTS]
    moved = np.mean([1 - a @ b for a, b in zip(yes, no)])
    apart = np.mean([1 - yes[i] @ yes[j] for i, j in permutations(range(3), 2)])
    assert separation["text_separation"] == pytest.approx(moved / apart, rel=1e-4)
    columns = result.predictions["bias.bias"]
    assert list(columns) == ["object", "template", "x", "y", "text"]
    assert columns["text"][-1] == "a kite, no a dog"
    assert columns["template"][:4] == ["affirmation"] * 3 + ["negation"]


def test_text_separation_and_components_of_known_vectors():
    templates = Sentences(["a", "b"] * 2, ["affirmation"] * 2 + ["negation"] * 2, [""] * 4, np.arange(4))
    assert text_separation(templates, np.eye(4)) == 1
    same = np.eye(4)[[0, 1, 0, 1]]
    assert text_separation(templates, same) == 0
    for seed in range(20):  # all the same, of a length that is not exactly 1
        assert text_separation(templates, unit_rows(np.random.default_rng(seed).normal(size=(1, 64))).repeat(4, 0)) == 0
    points = np.array([[2.0, 0, 1], [-2, 0, 1], [0, 1, 1], [0, -1, 1]])
    np.testing.assert_allclose(principal_components(points), points[:, :2], atol=1e-12)


def test_confusion_splits_ties_and_leaves_out_what_nobody_named():
    scores = np.array([[1, 1, 0], [0, 2, 1], [5, 0, 0]])
    names = ["hybrid", "positive", "hybrid"]  # the right one, and a wrong one of its kind
    found = confusion(scores, np.array([0, 0, 0]), ["hybrid", "hybrid", "x"], [names, names, []])
    assert found == {"hybrid": {"right": 0.25, "positive": 0.75, "hybrid": 0.0}}


def clip(shades: list[int]) -> bytes:
    """An MPEG-4 clip with a frame of each shade."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in shades:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize("mode", ["negbench", "clip"])
def test_clips_beside_pictures(model, mcq_set, tmp_path, mode):
    """A short clip and a long one: the mean of unit frames; a set of pictures beside them."""
    from negjax.media.video import read_frames, to_clip_pixels

    clips = [clip([0, 90, 180]), clip(list(range(0, 250, 10)))]
    rows = [{"media": media, "options": ["dark", "bright"], "answer": 0} for media in clips]
    said = {"task_kind": "binary_mcq", "negated": False, "media_type": "video"}
    write_set(tmp_path, "clips", lambda: iter(rows), ["question"], said)
    data = open_set(tmp_path, "clips")
    video = VideoSampling(4, mode)
    plan = prepare_eval_data([data, mcq_set], model.preprocess, video=video)
    media, _ = embed(model, plan, plan.captions, 16, progress=False)
    assert len(media) == 9 + 2
    for vector, content, count in zip(media[9:], clips, (3, 4)):
        frames = to_clip_pixels(read_frames(content, 4, "test"), model.preprocess, mode)
        assert len(frames) == count
        expected = unit(unit(model.encode_pixels(frames)).mean(axis=0))
        np.testing.assert_allclose(vector, expected, atol=1e-6)
    result = evaluate(model, [data], video=video, bootstrap=0, progress=False)
    assert result.results["tasks"]["clips"]["video"] == {"frames": 4, "preprocess": mode}


def test_a_negation_method_scores_clips(model, tmp_path):
    clips = [clip([0, 90, 180]), clip(list(range(0, 250, 10)))]
    rows = [{"media": media, "options": ["a dog without a cat", "a dog"], "answer": 0} for media in clips]
    said = {"task_kind": "binary_mcq", "negated": True, "media_type": "video"}
    write_set(tmp_path, "denied_clips", lambda: iter(rows), ["question"], said)
    plan = prepare_eval_data([open_set(tmp_path, "denied_clips")], model.preprocess, progress=False)
    media, _ = embed(model, plan, plan.captions, 16, progress=False)
    (results,) = evaluate_methods(
        model, plan, choose_methods(["subtract,weight=0.7"], model), bootstrap=0, progress=False
    ).values()
    query = unit(text_of(model, "a dog") - 0.7 * text_of(model, "A photo of a cat"))
    columns = results.predictions["denied_clips"]
    np.testing.assert_allclose(columns["score_0"], media @ query, atol=1e-6)
    np.testing.assert_allclose(columns["score_1"], media @ text_of(model, "a dog"), atol=1e-6)


def test_the_same_file_as_a_picture_and_as_a_clip(model, make_set):
    """A moving GIF: a set of pictures shows its first frame, a set of clips four."""
    file, frames = io.BytesIO(), [Image.new("RGB", (48, 40), (shade, 0, 90)) for shade in range(0, 250, 50)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    rows = [{"media": file.getvalue(), "options": ["dark", "bright"], "answer": 0}]
    pictures = make_set("pictures", "binary_mcq", "question", rows)
    clips = make_set("clips", "binary_mcq", "question", rows, media_type="video")
    files = evaluate(model, [clips, pictures], bootstrap=0, progress=False).predictions
    assert files["pictures"]["score_0"][0] == pytest.approx(
        image_of(model, rows[0]["media"]) @ text_of(model, "dark"), abs=1e-6
    )
    assert files["clips"]["score_0"][0] != files["pictures"]["score_0"][0]
