"""The fitted blind scorer: it learns what wording gives away, never from the image that it is asked about."""

import csv

import numpy as np
import pytest

from negjax.evaluation.blind import text_only
from negjax.evaluation.blind.text_only import cross_validated_credit, transfer_credit
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import build_truth_table_group


def given_away(n: int, seed: int) -> tuple[list[list[str]], np.ndarray]:
    """Questions whose right option alone says "surely"."""
    rng = np.random.default_rng(seed)
    answer = rng.integers(4, size=n)
    options = [[f"{'surely' if o == a else 'maybe'} thing {rng.integers(9)}" for o in range(4)] for a in answer]
    return options, answer


def read(path) -> tuple[list[list[str]], np.ndarray, np.ndarray]:
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    images = np.unique([row["image_path"] for row in rows], return_inverse=True)[1]
    return [[row[f"caption_{i}"] for i in range(4)] for row in rows], np.zeros(len(rows), int), images


def test_wording_that_gives_the_answer_away_is_learnt():
    options, answer = given_away(40, 0)
    assert cross_validated_credit(options, answer, np.arange(40) // 2).tolist() == [1] * 40
    assert transfer_credit(options, answer, *given_away(30, 1)).tolist() == [1] * 30


def test_transfer_equals_a_plain_fit_on_every_option():
    """One example per option, however often it stands there; picks and ties by hand."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    texts = [f"{a} {b} {c}" for a in "pqr" for b in "st" for c in "uvw"]
    train, asked = (rng.choice(texts, size=(n, 4)).tolist() for n in (60, 50))
    train_answer, answer = rng.integers(4, size=60), rng.integers(4, size=50)
    vectorizer = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+")
    examples = vectorizer.fit_transform([text for options in train for text in options])
    label = [int(o == a) for a in train_answer for o in range(4)]
    model = LogisticRegression(max_iter=1000, tol=1e-8).fit(examples, label)
    found = transfer_credit(train, train_answer, asked, answer)
    for options, a, credit in zip(asked, answer, found):
        score = model.decision_function(vectorizer.transform(options)).round(3)
        assert credit == pytest.approx((score[a] == score.max()) / (score == score.max()).sum())


def test_no_question_is_scored_by_who_saw_its_image():
    """Each image has words of its own, which tell the answer to who has seen them."""
    image = np.repeat(np.arange(15), 3)
    options = [[f"{word}{i}" for word in ("right", "left", "up", "down")] for i in image]
    options = [row if n % 3 else [*row[:3], f"{row[3]} {row[3]}"] for n, row in enumerate(options)]
    answer = np.zeros(45, int)
    assert transfer_credit(options, answer, options, answer).tolist() == [1] * 45
    assert cross_validated_credit(options, answer, image).tolist() == [0.25] * 45


def test_images_joined_by_an_option_set_are_left_out_of_each_others_fit_where_they_must_be():
    """Images 2i and 2i + 1 are asked the same, with different answers; 2i + 1 is asked once more in these words.

    Who has seen 2i alone answers that wrongly, who has seen neither at chance; who has seen both might do better.
    """
    options, answer, image = [], [], []
    for i in range(12):
        words = [f"{word}{i}" for word in ("a", "b", "c", "d")]
        options += [words, words, [f"{word} so" for word in words]]
        answer, image = [*answer, 1, 0, 0], [*image, 2 * i, 2 * i + 1, 2 * i + 1]
    credit = cross_validated_credit(options, np.array(answer), np.array(image)).reshape(12, 3)
    assert set(credit[:, 2].tolist()) == {0, 0.25}
    assert credit[:, :2].tolist() == [[0.25, 0.25]] * 12


@pytest.mark.parametrize("seed", [0, 1])
def test_truth_tables_are_at_chance(seed):
    """Groups share images, as in real sets, and one scorer answers all four questions of a group."""
    rng = np.random.default_rng(3)
    writer = CaptionWriter(rng, held_out=False)
    names = ["cat", "dog", "owl", "car", "cup", "bus", "key", "apple", "book", "fork"]
    options, answer, image = [], [], []
    for _ in range(40):
        first, second = rng.permutation(names)[:2]
        group = build_truth_table_group(str(first), str(second), writer, rng)
        options += [question.options for question in group]
        answer += [question.answer for question in group]
        image += rng.permutation(60)[:4].tolist()
    credit = cross_validated_credit(options, np.array(answer), np.array(image), seed=seed)
    np.testing.assert_allclose(credit.reshape(40, 4).sum(axis=1), 1)
    credit = transfer_credit(*given_away(40, 0), options, np.array(answer))
    np.testing.assert_allclose(credit.reshape(40, 4).sum(axis=1), 1)


def test_seed_and_order_of_options():
    rng = np.random.default_rng(4)
    words = ["no", "a", "cat", "dog", "but", "owl"]
    options = [[" ".join(rng.choice(words, size=3)) for _ in range(4)] for _ in range(80)]
    answer, image = rng.integers(4, size=80), rng.integers(30, size=80)
    found = cross_validated_credit(options, answer, image, seed=1)
    np.testing.assert_array_equal(cross_validated_credit(options, answer, image, seed=1), found)
    assert (cross_validated_credit(options, answer, image, seed=2) != found).any()
    turned = [[*row[1:], row[0]] for row in options]
    np.testing.assert_allclose(cross_validated_credit(turned, (answer - 1) % 4, image, seed=1), found)


def test_too_little_to_fit_on():
    options, answer = given_away(20, 0)
    assert cross_validated_credit(options, answer, np.arange(20)) is not None
    assert cross_validated_credit(options, answer, np.arange(20) // 10) is not None
    assert cross_validated_credit(options[1:], answer[1:], np.arange(19)) is None
    assert cross_validated_credit(options, answer, np.zeros(20, int)) is None
    assert cross_validated_credit(options[:1] * 20, answer, np.arange(20)) is None
    assert cross_validated_credit([["", "?", "!", "..."]] * 20, answer, np.arange(20)) is None
    assert transfer_credit(options[1:], answer[1:], options, answer) is None
    assert transfer_credit([["", "?", "!", "..."]] * 20, answer, options, answer) is None
    assert transfer_credit(options, answer, [["", "?", "!", "..."]], answer[:1]).tolist() == [0.25]


def test_published_files(test_data):
    coco = read(test_data / "negbench/images/COCO_val_mcq_llama3.1_rephrased.csv")
    msr_vtt = read(test_data / "negbench/videos/msr_vtt_mcq_rephrased_llama.csv")
    assert 0.83 <= cross_validated_credit(*coco).mean() <= 0.86
    assert 0.35 <= transfer_credit(*coco[:2], *msr_vtt[:2]).mean() <= 0.5


def test_of_many_questions_some_are_drawn(monkeypatch):
    """What gives the answer away is learnt from 30 of 200 questions too, and still not from the image asked about."""
    monkeypatch.setattr(text_only, "MAX_FIT_QUESTIONS", 30)
    options, answer = given_away(200, 0)
    assert cross_validated_credit(options, answer, np.arange(200) // 2).tolist() == [1] * 200
    assert transfer_credit(options, answer, *given_away(50, 1)).tolist() == [1] * 50
    assert text_only.fit_remark(30) == ""
    assert text_only.fit_remark(200) == "fitted on 30 of 200 questions at most, drawn at random"
    image = np.repeat(np.arange(50), 4)
    own_words = [[f"{word}{i}" for word in ("right", "left", "up", "down")] for i in image]
    assert cross_validated_credit(own_words, np.zeros(200, int), image).tolist() == [0.25] * 200
