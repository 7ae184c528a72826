"""The seam between captions and scores: other scorers change every kind of task; the general path equals the cosine."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from support.images import noise_png

from negjax.evaluation.blind.images import mean_image_credit, other_image_credit
from negjax.evaluation.choices import choice_credit, option_scores
from negjax.evaluation.embed.vectors import unit_rows
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.ranking import image_retrieval, text_retrieval
from negjax.evaluation.tasks.zeroshot import class_scores
from negjax.negation.scorer import CaptionVectors, CosineScorer, EmbedTexts

NEGATED = re.compile(r"(.*?),?(?: but)? (?:no|not|without) (?:an? )?(.+)")


def split(caption: str) -> tuple[str, str] | None:
    """What a caption affirms and what it denies; None where it denies nothing."""
    match = NEGATED.fullmatch(caption)
    return (match[1] or "something", match[2]) if match else None


@dataclass(frozen=True)
class Subtraction:
    """One query vector: what is affirmed less what is denied. Captions without a negation are left alone."""

    reads_images = False

    weight: float = 0.5

    def texts(self, captions: Sequence[str]) -> list[str]:
        return [text for caption in captions for text in split(caption) or (caption,)]

    def vectors(self, captions: Sequence[str], embed_texts: EmbedTexts, image_DE: object = None) -> CaptionVectors:
        vectors = []
        for caption in captions:
            parts = split(caption)
            if parts is None:
                vectors.append(embed_texts([caption])[0])
            else:
                affirmed_E, denied_E = embed_texts(parts)
                vectors.append(unit_rows(affirmed_E - self.weight * denied_E))
        return CaptionVectors((np.stack(vectors),))


@dataclass(frozen=True)
class Rescore:
    """Two query vectors and a function of both cosines: that of the whole caption less that of what is denied."""

    reads_images = False

    weight: float = 2.0

    def texts(self, captions: Sequence[str]) -> list[str]:
        return [text for caption in captions for text in (caption, *(split(caption) or ()))]

    def vectors(self, captions: Sequence[str], embed_texts: EmbedTexts, image_DE: object = None) -> CaptionVectors:
        parts = [split(caption) for caption in captions]
        denied_CE = embed_texts([part[1] if part else caption for caption, part in zip(captions, parts)])
        weight_C = np.array([self.weight if part else 0.0 for part in parts])

        def combine(cosines: np.ndarray, caption_index: np.ndarray) -> np.ndarray:
            return cosines[..., 0] - weight_C[caption_index] * cosines[..., 1]

        return CaptionVectors((embed_texts(captions), denied_CE), combine)


@pytest.fixture(scope="module")
def sets(mcq_set, retrieval_set, truth_set, make_set):
    """A set of each kind, all with negations and images that tell them apart."""
    pair = [
        {"media": noise_png(n), "options": [f"a {n} dog without a hat", f"a {n} dog"], "answer": n % 2}
        for n in range(9)
    ]
    candidates = [
        {"media": noise_png(60 + n), "group": n // 3, "captions": [f"a dog, not {n} hats"] if n % 3 == 0 else []}
        for n in range(18)
    ]
    objects = ["a dog", "a cat", "a kite"]
    templates = {"affirmation": "there is {a}", "negation": "there is no {a}"}
    affirmations = [
        {
            "media": noise_png(50 + n),
            "options": [f"there is {name}", f"there is no {name}"],
            "answer": n % 2,
            "kind": "x",
        }
        for n, name in enumerate(objects * 3)
    ]
    queries = [
        {"text": f"a {a} without {b}", "plain": f"a {a}", "includes": [a], "excludes": [b]}
        for a in ("dog", "cat")
        for b in ("hat", "kite")
    ]
    rows = [
        {"media": noise_png(80 + n), "positive_objects": [("dog", "cat")[n % 2], *(["hat"] if n % 3 else ["kite"])]}
        for n in range(16)
    ]
    names = [{"media": noise_png(n), "label": n % 3} for n in range(12)]
    binary = [row | {"options": [*row["options"][:1], "a thing"]} for row in pair]
    return [
        mcq_set,
        retrieval_set,
        truth_set,
        make_set("twos", "binary_mcq", "question", binary),
        make_set("texts", "pairs", "question", pair),
        make_set("candidates", "pairs", "captions", candidates),
        make_set("bias", "affirmation", "question", affirmations, objects=objects, bias_templates=templates),
        make_set("queries", "queries", "objects", rows, queries=queries),
        make_set("names", "zeroshot", "label", names, classnames=["dog", "cat", "boat"], templates=["{} but no hat"]),
    ]


def predictions(model, sets, scorer) -> dict[str, list]:
    """All columns of all prediction files, and the blind figures."""
    evaluated = evaluate(model, sets, scorer=scorer, bootstrap=0, progress=False)
    columns = {
        name: [np.asarray(column).tolist() for column in file.values()] for name, file in evaluated.predictions.items()
    }
    return columns | {f"{name} blind": task["blind"] for name, task in evaluated.results["tasks"].items()}


@pytest.mark.parametrize("scorer", [Subtraction(), Rescore()], ids=lambda scorer: type(scorer).__name__)
def test_another_scorer_changes_every_kind_of_task(model, sets, scorer):
    plain, other = (predictions(model, sets, each) for each in (CosineScorer(), scorer))
    for data in sets:
        assert other[data.name] != plain[data.name], data.name
    for name in ("questions blind", "candidates blind", "queries blind"):
        assert other[name].keys() == plain[name].keys()
    assert other["questions blind"] != plain["questions blind"]


@pytest.mark.parametrize("scorer", [Subtraction(0.0), Rescore(0.0)], ids=lambda scorer: type(scorer).__name__)
def test_captions_without_a_negation_are_left_alone(model, make_set, scorer):
    rows = [{"media": noise_png(n), "options": [f"a {n} dog", f"a {n} cat"], "answer": 0} for n in range(5)]
    data = [make_set("plain", "mcq", "question", rows)]
    assert predictions(model, data, scorer) == predictions(model, data, CosineScorer())


def sample(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """Small integer embeddings, so that scores are exact and many tie."""
    rng = np.random.default_rng(seed)
    image, caption = (rng.integers(-1, 2, size=(count, 4)).astype(np.float32) for count in (30, 70))
    return image, caption, rng.integers(30, size=70), rng.integers(3, size=30), rng


def first_cosine(caption: np.ndarray) -> CaptionVectors:
    """As the cosine, by way of two vectors and a function."""
    return CaptionVectors((caption, caption[::-1].copy()), lambda cosines, caption_index: cosines[..., 0])


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_several_vectors_rank_as_one_does(seed):
    image, caption, owner, gallery, _ = sample(seed)
    for rank in (image_retrieval, text_retrieval):
        one = rank(image, CaptionVectors((caption,)), owner, gallery)
        two = rank(image, first_cosine(caption), owner, gallery)
        for name in ("query_Q", "better_Q"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        # The second vector tells captions apart that are equal otherwise, but their scores are equal.
        np.testing.assert_array_equal(one.ties_Q, two.ties_Q)


def combined(caption: np.ndarray, other: np.ndarray) -> tuple[CaptionVectors, Callable[[np.ndarray, int], np.ndarray]]:
    """Vectors with a function that depends on the caption, and the same in plain words: the scores with all images."""
    sign = np.where(np.arange(len(caption)) % 2, 1.0, -2.0)
    vectors = CaptionVectors(
        (caption, other), lambda cosines, index: cosines[..., 0] + sign[index] * np.maximum(cosines[..., 1], 0)
    )
    return vectors, lambda image, c: image @ caption[c] + sign[c] * np.maximum(image @ other[c], 0)


def test_several_vectors_equal_a_loop():
    image, caption, owner, gallery, rng = sample(5)
    vectors, score = combined(caption, rng.integers(-1, 2, size=caption.shape).astype(np.float32))
    table = np.stack([score(image, c) for c in range(70)])
    option, shown, answer = rng.integers(70, size=(25, 4)), rng.integers(30, size=25), rng.integers(4, size=25)
    expected = np.stack([table[option[n], shown[n]] for n in range(25)])
    np.testing.assert_array_equal(option_scores(image, shown, vectors, option, block=7), expected)
    others = [
        np.mean([choice_credit(table[option[n : n + 1], i], answer[n : n + 1]) for i in range(30) if i != shown[n]])
        for n in range(25)
    ]
    np.testing.assert_allclose(other_image_credit(image, shown, vectors, option, answer, block=4), others)
    mean = unit_rows(image.mean(axis=0))
    blind = choice_credit(np.stack([[score(mean, c) for c in option_O] for option_O in option]), answer)
    assert np.mean(mean_image_credit(image, vectors, option, answer)) == pytest.approx(np.mean(blind))
    classes = np.arange(12).reshape(4, 3)
    np.testing.assert_allclose(class_scores(image, vectors, classes), table[:12].reshape(4, 3, 30).mean(axis=1).T)
    ranks = image_retrieval(image, vectors, owner, gallery)
    back = text_retrieval(image, vectors, owner, gallery)
    for c, own in enumerate(owner):
        rivals = (gallery == gallery[own]) & (np.arange(30) != own)
        assert ranks.better_Q[c] == (table[c, rivals] > table[c, own]).sum()
        assert ranks.ties_Q[c] == (table[c, rivals] == table[c, own]).sum()
    for q, i in enumerate(back.query_Q):
        best = table[owner == i, i].max()
        rivals = (gallery[owner] == gallery[i]) & (owner != i)
        assert (back.better_Q[q], back.ties_Q[q]) == ((table[rivals, i] > best).sum(), (table[rivals, i] == best).sum())


def test_take_keeps_each_captions_own_function():
    _, caption, _, _, rng = sample(6)
    vectors, score = combined(caption, caption[::-1].copy())
    image, chosen = rng.integers(-1, 2, size=(1, 4)).astype(np.float32), np.array([5, 4, 4, 9])
    found = vectors.take(chosen).scores(lambda vector_CE: vector_CE @ image[0], np.arange(4))
    np.testing.assert_array_equal(found, [score(image, c)[0] for c in chosen])
