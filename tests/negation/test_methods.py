"""Each method against a plain loop in float64, and the algebra that its source promises."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.negation.context import CONTEXTS, Context
from negjax.negation.deo import DEO
from negjax.negation.lcse import LCSE, MAX_CONCEPTS
from negjax.negation.method import NegationMethod, NegationScorer
from negjax.negation.projection import Projection
from negjax.negation.scorer import CaptionVectors
from negjax.negation.space import Space, bisect_caps
from negjax.negation.subtract import Subtract

WIDTH = 24
CAPTIONS = [
    Parsed("a dog", "a dog"),
    Parsed("a beach without people", "a beach", ("beach",), ("people",), "but_not"),
    Parsed("no umbrella", "", (), ("umbrella",), "single"),
    Parsed("a dog and a cat", "a dog and a cat", ("dog", "cat"), (), "and"),
    Parsed("neither a dog nor a cat", "", (), ("dog", "cat"), "neither"),
    Parsed("a man rides, no hat, no dog", "a man rides", (), ("hat", "dog", "hat"), "but_not"),
    Parsed("a dog or no cat", "a dog", ("dog",), ("cat",), "or"),
    Parsed("", ""),
]
READ = {parsed.caption: parsed for parsed in CAPTIONS}
METHODS = [
    Context(0.4, 1.3, 0.5),
    Subtract(0.5),
    Space(0.92),
    Space(-0.2),
    Projection(1.9, 1.0, False),
    Projection(0.7, 0.5, True),
    DEO(1.0, 1.0, 1.0),
    DEO(0.8, 0.3, 0.1),
    LCSE(0.22, 30.0, False),
    LCSE(0.02, 5.0, True),
]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


class Texts:
    """A unit vector for each text, near a common direction as CLIP's are."""

    def __init__(self, texts: list[str], seed: int = 0):
        rng = np.random.default_rng(seed)
        common = unit(rng.normal(size=WIDTH))
        self.of = {text: unit(common + 0.35 * unit(rng.normal(size=WIDTH))).astype(np.float32) for text in texts}

    def __call__(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.of[text] for text in texts])


def vectors_of(method: NegationMethod, captions: list[Parsed]) -> tuple[CaptionVectors, Texts]:
    scorer = NegationScorer(method, {parsed.caption: parsed for parsed in captions}.__getitem__)
    names = [parsed.caption for parsed in captions]
    texts = Texts(scorer.texts(names))
    return scorer.vectors(names, texts), texts


def scores_of(vectors: CaptionVectors, image_E: np.ndarray) -> np.ndarray:
    return vectors.scores(lambda vector_CE: vector_CE.astype(np.float64) @ image_E, np.arange(len(CAPTIONS)))


def article(name: str) -> str:
    return {"people": "people", "umbrella": "an umbrella"}.get(name, f"a {name}")


def context_score(method: Context, parsed: Parsed, of: dict[str, np.ndarray], image: np.ndarray, images=None) -> float:
    """The score of a caption that denies something, written out."""
    names = list(dict.fromkeys(parsed.negated))
    away, threshold = np.zeros(WIDTH), 0.0
    for name in names:
        direction = np.zeros(WIDTH)
        for thing in CONTEXTS:
            photo = f"A photo of {article(thing)}"
            direction += (of[f"{photo} with {article(name)}"] - of[photo]) / len(CONTEXTS)
        away += direction / len(names)
        if images is not None:
            threshold += (np.mean(images @ direction) + method.spread * np.std(images @ direction)) / len(names)
    if not parsed.affirmed:
        return float(of[parsed.caption] @ image - method.alone * (away @ image - threshold))
    affirmed = (of[parsed.affirmed] + of[parsed.caption]) / 2
    return float(affirmed @ image - method.weight * (away @ image - threshold))


def expected(method: NegationMethod, parsed: Parsed, of: dict[str, np.ndarray], image: np.ndarray) -> float:
    """The score of one caption, written out."""
    of = {text: vector.astype(np.float64) for text, vector in of.items()}
    names = list(dict.fromkeys(parsed.negated))
    is_list = isinstance(method, LCSE) and method.lists and parsed.operator == "and"
    if not names and not is_list:
        return float(of[parsed.caption] @ image)
    if isinstance(method, Context):
        return context_score(method, parsed, of, image)
    affirmed = of[parsed.affirmed or "A photo of something"] if not isinstance(method, Projection | LCSE) else None
    photos = [of[f"A photo of {article(name)}"] for name in names] if affirmed is not None else []
    if isinstance(method, Subtract):
        for photo in photos:
            affirmed = affirmed - method.weight * photo
        return float(unit(affirmed) @ image)
    if isinstance(method, Space):
        total, alpha = affirmed.copy(), math.acos(method.threshold)
        for photo in photos:
            theta = math.acos(affirmed @ photo)
            if theta < 2 * alpha:
                delta = alpha + theta / 2  # as in the source: an angle delta from the denied text, in their plane
                total += math.cos(delta) * photo - affirmed
                total += math.sin(delta) / math.sin(theta) * (affirmed - math.cos(theta) * photo)
        return float(unit(total) @ image)
    if isinstance(method, DEO):
        moved = method.toward * affirmed - method.away * np.mean(photos, axis=0) + method.stay * of[parsed.caption]
        return float(unit(moved) @ image)
    if isinstance(method, Projection):
        basis = np.stack([of[f"no {name}" if method.cue else name] for name in names])
        onto = np.linalg.qr(basis.T)[0]
        anchor = method.anchor * (of["neutral"] + of["balanced"]) / 2
        caption = of[parsed.caption]
        return float(unit(caption - method.strength * (onto @ (onto.T @ caption) - anchor)) @ image)
    assert isinstance(method, LCSE)
    present, logic = [], []
    for group, sign in ((parsed.concepts, 1), (names, -1)):
        for name in group:
            forms = [article(name), f"a photo of {article(name)}", f"an image of {article(name)}"]
            cosine = np.mean([of[form] @ image for form in [*forms, f"{article(name)} in the image"]])
            present.append(1 / (1 + math.exp(-method.slope * (cosine - method.midpoint))))
            logic.append(present[-1] if sign > 0 else 1 - present[-1])
    if not parsed.concepts and parsed.affirmed:
        cosine = of[parsed.affirmed] @ image
        present.append(1 / (1 + math.exp(-method.slope * (cosine - method.midpoint))))
        logic.append(present[-1])
    power = 10 if parsed.operator == "or" else -1
    joined = np.mean(np.array(logic) ** power) ** (1 / power)
    joined, soft = (min(max(p, 1e-6), 1 - 1e-6) for p in (joined, np.mean(present)))
    correction = math.log(joined / (1 - joined)) - math.log(soft / (1 - soft))
    return float(of[parsed.caption] @ image + correction / method.slope)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_method_equals_a_loop(method):
    vectors, texts = vectors_of(method, CAPTIONS)
    rng = np.random.default_rng(1)
    moved = 0
    for _ in range(5):
        image = unit(texts(["a dog"])[0] + rng.normal(size=WIDTH) * 0.3)
        found = scores_of(vectors, image)
        for parsed, score in zip(CAPTIONS, found):
            assert score == pytest.approx(expected(method, parsed, texts.of, image), abs=1e-6), parsed.caption
            moved += abs(score - texts.of.get(parsed.caption, image) @ image) > 1e-3
    assert moved > 5
    if method.is_one_vector:
        np.testing.assert_allclose(np.linalg.norm(vectors.vector_KCE[0], axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_captions_that_deny_nothing_keep_their_vector_to_the_bit(method):
    vectors, texts = vectors_of(method, CAPTIONS)
    plain = [c for c, parsed in enumerate(CAPTIONS) if not method.changes(parsed)]
    assert len(plain) >= 2
    captions = [CAPTIONS[c].caption for c in plain]
    np.testing.assert_array_equal(vectors.vector_KCE[0][plain], texts(captions))
    taken = vectors.take(np.array(plain))
    assert taken.combine is None
    np.testing.assert_array_equal(taken.vector_KCE, [texts(captions)])
    if vectors.combine is not None:
        cosines = np.random.default_rng(2).normal(size=(len(CAPTIONS), len(vectors.vector_KCE))).astype(np.float32)
        scores = vectors.combine(cosines, np.arange(len(CAPTIONS)))
        np.testing.assert_array_equal(scores[plain], cosines[plain, 0])


def score_matrix(method: NegationMethod, captions: list[Parsed], image_NE: np.ndarray) -> np.ndarray:
    vectors, _ = vectors_of(method, captions)
    return vectors.scores(lambda vector_CE: vector_CE @ image_NE.T, np.arange(len(captions))[:, None])


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_equal_captions_get_equal_scores_wherever_they_stand(method):
    image_NE = np.random.default_rng(0).normal(size=(3, WIDTH)).astype(np.float32)
    again = score_matrix(method, CAPTIONS * 3, image_NE)
    for first, second in ((0, 8), (8, 16)):
        np.testing.assert_array_equal(again[first : first + 8], again[second : second + 8])


def plane(theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors at this angle."""
    first, other = np.linalg.qr(np.random.default_rng(3).normal(size=(WIDTH, 2)))[0].T
    return first[None], (math.cos(theta) * first + math.sin(theta) * other)[None]


@pytest.mark.parametrize("theta", [0.05, 0.2, 0.5])
def test_space_lies_where_its_source_says(theta):
    affirmed, denied = plane(theta)
    alpha = math.acos(0.92)
    moved = bisect_caps(affirmed, denied, 0.92)
    assert (moved * denied).sum() == pytest.approx(math.cos(alpha + theta / 2))
    assert (moved * affirmed).sum() == pytest.approx(math.cos(alpha - theta / 2))
    assert np.linalg.norm(moved) == pytest.approx(1)


def test_space_is_continuous_where_the_caps_part():
    edge = 2 * math.acos(0.92)
    for offset in (-1e-5, 1e-5):
        affirmed, denied = plane(edge + offset)
        np.testing.assert_allclose(bisect_caps(affirmed, denied, 0.92), affirmed, atol=1e-4)
    np.testing.assert_array_equal(bisect_caps(*plane(edge + 1e-5), 0.92), plane(edge + 1e-5)[0])


def negated_row(method: NegationMethod, parsed: Parsed) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    vectors, texts = vectors_of(method, [parsed])
    return vectors.vector_KCE[0][0].astype(np.float64), texts.of


def test_zero_changes_nothing():
    parsed = CAPTIONS[1]
    moved, of = negated_row(Subtract(0.0), parsed)
    np.testing.assert_allclose(moved, of["a beach"], atol=1e-6)
    moved, of = negated_row(Projection(0.0, 1.0, False), parsed)
    np.testing.assert_allclose(moved, of[parsed.caption], atol=1e-6)
    moved, of = negated_row(DEO(0.0, 0.0, 1.0), parsed)
    np.testing.assert_allclose(moved, of[parsed.caption], atol=1e-6)
    moved, of = negated_row(Space(0.9999), parsed)
    np.testing.assert_allclose(moved, of["a beach"], atol=1e-6)


def test_projection_is_orthogonal_to_all_that_is_denied():
    moved, of = negated_row(Projection(1.0, 0.0, False), CAPTIONS[5])
    assert abs(moved @ of["hat"]) < 1e-6
    assert abs(moved @ of["dog"]) < 1e-6
    for strength, sign in ((0.5, 1), (1.5, -1)):
        moved, of = negated_row(Projection(strength, 0.0, False), CAPTIONS[1])
        assert sign * (moved @ of["people"]) > 0


def test_projection_bears_one_thing_denied_under_two_names():
    parsed = Parsed("a dog without hats", "a dog", (), ("hats", "caps"), "but_not")
    scorer = NegationScorer(Projection(1.0, 0.0, False), lambda caption: parsed)
    texts = Texts(scorer.texts(["x"]))
    texts.of["caps"] = texts.of["hats"]
    moved = scorer.vectors(["x"], texts).vector_KCE[0][0]
    assert np.isfinite(moved).all()
    assert abs(moved @ texts.of["hats"]) < 1e-6


def test_deo_is_where_gradient_descent_ends():
    for method in (DEO(1.0, 1.0, 1.0), DEO(0.5, 0.9, 0.6)):
        moved, of = negated_row(method, CAPTIONS[5])
        of = {text: vector.astype(np.float64) for text, vector in of.items()}
        caption, affirmed = of[CAPTIONS[5].caption], of["a man rides"]
        denied = [of["A photo of a hat"], of["A photo of a dog"]]
        e = caption.copy()
        for _ in range(2000):
            step = 2 * method.toward * (e - affirmed) + 2 * method.stay * (e - caption)
            step -= 2 * method.away * np.mean([e - each for each in denied], axis=0)
            e -= 0.05 * step
        np.testing.assert_allclose(moved, unit(e), atol=1e-6)


def test_deo_without_a_bound_is_refused():
    with pytest.raises(NegjaxError, match="no bound"):
        DEO(1.0, 2.0, 1.0)


def test_lcse_of_one_denied_concept_is_linear():
    method = LCSE(0.22, 30.0, False)
    vectors, _ = vectors_of(method, [CAPTIONS[2]])
    caption, concept = (vector_CE[0].astype(np.float64) for vector_CE in vectors.vector_KCE)
    image = unit(np.random.default_rng(4).normal(size=WIDTH))
    found = vectors.scores(lambda vector_CE: vector_CE.astype(np.float64) @ image, np.arange(1))
    assert found[0] == pytest.approx(caption @ image - 2 * (concept @ image - 0.22), abs=1e-9)


@pytest.mark.parametrize("count", [MAX_CONCEPTS, MAX_CONCEPTS + 1, 3000])
def test_lcse_leaves_captions_of_many_concepts_alone(count):
    parsed = Parsed("x", "", (), tuple(f"thing {n}" for n in range(count)), "neither")
    assert LCSE(0.22, 30.0, False).changes(parsed) == (count <= MAX_CONCEPTS)


@pytest.mark.parametrize("method", [Subtract(1.0), Space(0.92), DEO(1.0, 1.0, 0.5)], ids=str)
def test_a_query_that_excludes_what_it_asks_keeps_what_it_affirms(method):
    parsed = Parsed("no", "A photo of a dog", ("dog",), ("dog",), "but_not")
    moved, of = negated_row(method, parsed)
    assert np.linalg.norm(moved) == pytest.approx(1, abs=1e-6)
    if not isinstance(method, DEO):  # which keeps to the caption itself
        np.testing.assert_allclose(moved, of["A photo of a dog"], atol=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_what_users_write_gives_finite_scores(method):
    odd = [
        Parsed("海滩上没有人", "海滩", (), ("人",), "but_not"),
        Parsed("x" * 10_000, "x" * 5000, (), ("y" * 5000,), "but_not"),
        Parsed("no 🐶", "", (), ("🐶",), "single"),
        Parsed("   ", "   "),
    ]
    image_NE = np.random.default_rng(0).normal(size=(3, WIDTH)).astype(np.float32)
    assert np.isfinite(score_matrix(method, odd, image_NE)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Subtract(-1.0), "subtract: weight is -1, it must be 0 or more"),
        (lambda: Subtract(math.nan), "subtract: weight is nan"),
        (lambda: Space(1.0), "space: threshold is 1, it must be between -1 and 1"),
        (lambda: Projection(math.inf, 1.0, False), "projection: strength is inf"),
        (lambda: DEO(-1.0, 0.0, 1.0), "deo: toward is -1"),
        (lambda: LCSE(0.2, 0.0, False), "lcse: slope is 0, it must be above 0"),
    ],
)
def test_wrong_constants_are_refused(make: Callable[[], NegationMethod], message: str):
    with pytest.raises(NegjaxError, match=message):
        make()


def test_the_threshold_of_context_is_read_from_the_images_and_ranks_nothing():
    method = Context(0.4, 1.3, 0.5)
    scorer = NegationScorer(method, READ.__getitem__)
    captions = [parsed.caption for parsed in CAPTIONS]
    texts = Texts(scorer.texts(captions))
    rng = np.random.default_rng(2)
    images = np.stack([unit(texts(["a dog"])[0] + rng.normal(size=WIDTH) * 0.3) for _ in range(40)]).astype(np.float32)
    with_images, without = (scorer.vectors(captions, texts, each) for each in (images, None))
    of = {text: vector.astype(np.float64) for text, vector in texts.of.items()}
    for number, parsed in enumerate(CAPTIONS):
        index = np.full(len(images), number)
        scores, unplaced = (
            each.scores(lambda vector_CE, n=number: images.astype(np.float64) @ vector_CE[n], index)
            for each in (with_images, without)
        )
        if not parsed.negated:
            np.testing.assert_array_equal(scores, images.astype(np.float64) @ texts([parsed.caption])[0])
            continue
        wanted = [context_score(method, parsed, of, image, images) for image in images.astype(np.float64)]
        np.testing.assert_allclose(scores, wanted, atol=1e-6)
        np.testing.assert_allclose(scores - unplaced, (scores - unplaced)[0], atol=1e-6)
        cosines = images @ with_images.vector_KCE[0][number]  # what a vector database sees
        np.testing.assert_array_equal(np.argsort(scores), np.argsort(cosines))


def test_without_weight_context_denies_nothing():
    vectors, texts = vectors_of(Context(0.0, 0.0, 0.5), CAPTIONS)
    image = unit(texts(["a dog"])[0].astype(np.float64))
    scores = scores_of(vectors, image)
    asked = (texts(["a beach"])[0] + texts(["a beach without people"])[0]).astype(np.float64) / 2
    assert scores[1] == pytest.approx(asked @ image, abs=1e-6)
    assert scores[2] == pytest.approx(texts(["no umbrella"])[0] @ image, abs=1e-6)
