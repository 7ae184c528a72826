"""Retrieval ranks and recall against loops: ties, several galleries, blocks, images with several captions."""

import numpy as np
import pytest

from negjax.evaluation.embed.vectors import unit_rows
from negjax.evaluation.ranking import image_retrieval, text_retrieval
from negjax.negation.scorer import CaptionVectors


def sample(seed: int = 0, images: int = 40, repeat: bool = True):
    """Small integer embeddings, so that scores are exact and many tie."""
    rng = np.random.default_rng(seed)
    image = rng.integers(-1, 2, size=(images, 4)).astype(np.float32)
    owner = rng.permutation(np.repeat(np.arange(images), rng.integers(1, 5, size=images)))
    owner = owner[owner % 7 != 3]  # some images have no caption
    caption = rng.integers(-1, 2, size=(len(owner), 4)).astype(np.float32)
    return image, caption, owner, rng.integers(3, size=images)


def expected_recall(right: float, others: list[float], k: int) -> float:
    """The chance to be in the top k when equals are shuffled, counted over all places."""
    better, ties = sum(x > right for x in others), sum(x == right for x in others)
    return sum(better + place < k for place in range(ties + 1)) / (ties + 1)


@pytest.mark.parametrize("seed", range(3))
def test_text_to_image_equals_a_loop(seed):
    image, caption, owner, gallery = sample(seed)
    ranks = image_retrieval(image, CaptionVectors((caption,)), owner, gallery)
    assert ranks.query_Q.tolist() == list(range(len(owner)))
    np.testing.assert_array_equal(ranks.right_Q, owner)
    for c, own in enumerate(owner):
        rivals = [i for i in range(len(image)) if i != own and gallery[i] == gallery[own]]
        others = [float(caption[c] @ image[i]) for i in rivals]
        right = float(caption[c] @ image[own])
        assert ranks.better_Q[c] == sum(x > right for x in others)
        assert ranks.ties_Q[c] == sum(x == right for x in others)
        for k in (1, 5, 10):
            assert ranks.recall(k)[c] == pytest.approx(expected_recall(right, others, k))


@pytest.mark.parametrize("seed", range(3))
def test_image_to_text_equals_a_loop(seed):
    image, caption, owner, gallery = sample(seed)
    ranks = text_retrieval(image, CaptionVectors((caption,)), owner, gallery)
    assert ranks.query_Q.tolist() == sorted(set(owner.tolist()))
    for q, i in enumerate(ranks.query_Q):
        scores = {c: float(image[i] @ caption[c]) for c in range(len(owner)) if gallery[owner[c]] == gallery[i]}
        own = {c: s for c, s in scores.items() if owner[c] == i}
        others = [s for c, s in scores.items() if owner[c] != i]
        right = max(own.values())
        assert ranks.right_Q[q] == min(c for c, s in own.items() if s == right)
        for k in (1, 5, 10):
            assert ranks.recall(k)[q] == pytest.approx(expected_recall(right, others, k))


def test_other_captions_of_an_image_never_count_against_it():
    image = np.eye(2, dtype=np.float32)
    caption = unit_rows([[1, 0], [0.9, 0.1], [0.8, 0.2], [0.95, 0.05]])
    ranks = text_retrieval(image, CaptionVectors((caption,)), np.array([0, 0, 0, 1]), np.zeros(2, int))
    assert (ranks.better_Q[0], ranks.recall(1)[0]) == (0, 1)
    assert (ranks.better_Q[1], ranks.recall(1)[1], ranks.recall(5)[1]) == (2, 0, 1)


def test_a_constant_model_is_at_chance():
    image, owner = np.ones((8, 3), np.float32) / np.sqrt(3).astype(np.float32), np.repeat(np.arange(8), 2)
    to_image = image_retrieval(image, CaptionVectors((image[owner],)), owner, np.zeros(8, int))
    to_text = text_retrieval(image, CaptionVectors((image[owner],)), owner, np.zeros(8, int))
    for k in (1, 5, 10):
        assert to_image.recall(k).mean() == min(k, 8) / 8
        assert to_text.recall(k).mean() == pytest.approx(min(k, 15) / 15)  # 14 captions of others, 1 its own
    galleries = np.arange(8) % 2
    assert image_retrieval(image, CaptionVectors((image[owner],)), owner, galleries).recall(1).mean() == 1 / 4


def test_galleries_may_have_any_numbers():
    image, caption, owner, gallery = sample()
    for ranked in (image_retrieval, text_retrieval):
        few, many = (
            ranked(image, CaptionVectors((caption,)), owner, numbers) for numbers in (gallery, (gallery - 1) << 40)
        )
        for name in ("better_Q", "ties_Q"):
            np.testing.assert_array_equal(getattr(many, name), getattr(few, name))


@pytest.mark.parametrize("tile", [(8, 16), (16, 4), (1, 1), (64, 256)])
def test_equal_rows_tie_exactly_and_tiles_change_nothing(tile):
    rng = np.random.default_rng(5)
    image = unit_rows(rng.normal(size=(97, 61)))
    image[50:] = image[:47]
    caption = unit_rows(rng.normal(size=(203, 61)))
    caption[100:200] = caption[:100]
    owner, gallery = rng.integers(97, size=203), np.zeros(97, int)
    whole, parts = (image_retrieval(image, CaptionVectors((caption,)), owner, gallery, *each) for each in ((), (tile,)))
    twice = (owner < 47) | (owner >= 50)
    assert whole.ties_Q.tolist() == parts.ties_Q.tolist() == twice.astype(int).tolist()
    assert whole.better_Q.tolist() == parts.better_Q.tolist()
    whole, parts = (text_retrieval(image, CaptionVectors((caption,)), owner, gallery, *each) for each in ((), (tile,)))
    for name in ("query_Q", "right_Q", "better_Q", "ties_Q"):
        assert getattr(whole, name).tolist() == getattr(parts, name).tolist()


def test_ranks_of_real_embeddings_equal_a_loop_in_float64():
    """2,000 captions of 300 images, some repeated, some images without captions, five galleries."""
    rng = np.random.default_rng(1)
    image, caption = unit_rows(rng.normal(size=(300, 64))), unit_rows(rng.normal(size=(2000, 64)))
    image[7], caption[11], caption[500:520] = image[3], caption[10], caption[10]
    owner, gallery = rng.integers(290, size=2000), np.sort(rng.integers(5, size=300))
    score = caption.astype(np.float64) @ image.T.astype(np.float64)
    mine = gallery[owner][:, None] == gallery
    right = score[np.arange(2000), owner]
    better = ((score > right[:, None] + 1e-6) & mine).sum(axis=1)
    least = ((score >= right[:, None] - 1e-6) & mine).sum(axis=1) - 1
    found = image_retrieval(image, CaptionVectors((caption,)), owner, gallery)
    assert (better <= found.better_Q).all()
    assert (found.better_Q + found.ties_Q <= least).all()
    assert (found.better_Q == better).mean() > 0.99
    back = text_retrieval(image, CaptionVectors((caption,)), owner, gallery)
    for query, right_caption, above, ties in zip(back.query_Q, back.right_Q, back.better_Q, back.ties_Q):
        own = owner == query
        rivals = score[(gallery[owner] == gallery[query]) & ~own, query]
        best = score[own, query].max()
        assert score[right_caption, query] == pytest.approx(best, abs=1e-7)
        assert (rivals > best + 1e-6).sum() <= above <= above + ties <= (rivals > best - 1e-6).sum()
