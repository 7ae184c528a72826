"""A blind scorer that is fitted: how far the wording of each caption alone gives the right option away.

Logistic regression on the words and pairs of adjacent words of a caption (scikit-learn's defaults otherwise): is it
the right option of its question? A question's pick is the option with the highest score; ties earn 1/m.

Shapes: N questions, O options, C distinct captions, G words and pairs of words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from negjax.evaluation.tasks.mcq import choice_credit

FEWEST_QUESTIONS = 20  # to fit a scorer on


def cross_validated_credit(
    options_NO: Sequence[Sequence[str]], answer_N: np.ndarray, image_N: np.ndarray, folds: int = 5, seed: int = 0
) -> np.ndarray | None:
    """Credit of each question [N] from a scorer fitted on questions about other images of the same set.

    Images are dealt into `folds` parts in an order that `seed` decides; each part's questions are scored by a model
    fitted on the rest. Questions with the same options are always in one part, that of the first of them, and a
    question about any image of a part is left out of that part's fit. So no scorer has seen an image or an option
    set that it is asked about, and one scorer answers all questions of a truth-table group. Since each option is
    right in exactly one of these, they earn 1 together and any such set 25 %.

    None where there is too little to fit on: fewer than 20 questions, one image, a part without any other
    questions, or no words at all.
    """
    option_NO, texts = _places(options_NO)
    images, image_N = np.unique(image_N, return_inverse=True)
    if len(option_NO) < FEWEST_QUESTIONS or len(images) < 2 or not _worded(texts):
        return None
    folds = min(folds, len(images))
    first_N = np.unique(np.sort(option_NO, axis=1), axis=0, return_index=True, return_inverse=True)[1:]
    image_fold = np.random.default_rng(seed).permutation(len(images)) % folds
    fold_N = image_fold[image_N][first_N[0][first_N[1].ravel()]]
    gram_CG = _vectorizer().fit_transform(texts)
    score_NO = np.empty(option_NO.shape)
    for fold in np.unique(fold_N):
        asked_N = fold_N == fold
        fitted_N = ~np.isin(image_N, image_N[asked_N])
        if not fitted_N.any():
            return None
        score_C = _scores(gram_CG, option_NO[fitted_N], answer_N[fitted_N], gram_CG)
        score_NO[asked_N] = score_C[option_NO[asked_N]]
    return choice_credit(score_NO, answer_N)


def transfer_credit(
    train_options_NO: Sequence[Sequence[str]],
    train_answer_N: np.ndarray,
    options_NO: Sequence[Sequence[str]],
    answer_N: np.ndarray,
) -> np.ndarray | None:
    """Credit of each question [N] from a scorer fitted on all questions of another set.

    None where that set has fewer than 20 questions, or no words at all.
    """
    train_option_NO, train_texts = _places(train_options_NO)
    if len(train_option_NO) < FEWEST_QUESTIONS or not _worded(train_texts):
        return None
    option_NO, texts = _places(options_NO)
    vectorizer = _vectorizer()
    train_CG = vectorizer.fit_transform(train_texts)
    score_C = _scores(train_CG, train_option_NO, train_answer_N, vectorizer.transform(texts))
    return choice_credit(score_C[option_NO], answer_N)


def _places(options_NO: Sequence[Sequence[str]]) -> tuple[np.ndarray, list[str]]:
    """Each option's place among the distinct captions [N, O], and these: equal captions then tie exactly."""
    places: dict[str, int] = {}
    option_NO = [[places.setdefault(text, len(places)) for text in options] for options in options_NO]
    return np.array(option_NO, np.int64), list(places)


def _worded(texts: list[str]) -> bool:
    return any(character.isalnum() for text in texts for character in text)


def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(ngram_range=(1, 2), lowercase=True, token_pattern=r"\w+")


def _scores(train_CG: Any, option_NO: np.ndarray, answer_N: np.ndarray, asked_CG: Any) -> np.ndarray:
    """The score of each asked caption [C] by a model fitted on the questions option_NO (places in train_CG).

    train_CG, asked_CG: counts of words and pairs, sparse. A caption that stands in many questions is one right and
    one wrong example, weighted by how often it was either.
    """
    from sklearn.linear_model import LogisticRegression

    right_C = np.bincount(option_NO[np.arange(len(answer_N)), answer_N], minlength=train_CG.shape[0])
    wrong_C = np.bincount(option_NO.ravel(), minlength=train_CG.shape[0]) - right_C
    right, wrong = np.flatnonzero(right_C), np.flatnonzero(wrong_C)
    label = np.repeat([1, 0], [len(right), len(wrong)])
    weight = np.concatenate([right_C[right], wrong_C[wrong]])
    model = LogisticRegression(max_iter=1000)
    model.fit(train_CG[np.concatenate([right, wrong])], label, sample_weight=weight)
    return model.decision_function(asked_CG)
