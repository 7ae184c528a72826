"""A fitted blind scorer, which measures how far the wording of captions alone reveals the right option.

Logistic regression on the words and pairs of adjacent words of a caption (scikit-learn's defaults otherwise) predicts
whether it is the right option of its question. A question's pick is the option with the highest score; ties earn 1/m.

A fit costs more than linearly in its questions, so it is on MAX_FIT_QUESTIONS at most, drawn at random where there are
more; `fit_remark` says so.

Shapes: N questions, O options, C distinct captions, V words and pairs of words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from negjax.evaluation.choices import choice_credit

MIN_QUESTIONS = 20  # to fit a scorer on
FIT_VERSION = 1  # to be raised with every change here that changes a credit: kept credits are then fitted again
MAX_FIT_QUESTIONS = 6000  # of a fit; all files of NegBench have fewer questions


def cross_validated_credit(
    options_NO: Sequence[Sequence[str]], answer_N: np.ndarray, image_N: np.ndarray, folds: int = 5, seed: int = 0
) -> np.ndarray | None:
    """Credit of each question [N] from a scorer fitted on questions about other images of the same set.

    Images are dealt into `folds` parts; each part's questions are scored by a model fitted on the rest. Questions with
    the same options are always in one part, that of the first of them, and a question about any image of a part is
    excluded from that part's fit. So no scorer has seen an image or an option set that it is scored on, and one scorer
    answers all questions of a truth-table group: since each option is right in exactly one of these, they earn 1
    together and any such set 25 %.

    Args:
        options_NO: the texts of each question's options.
        answer_N: the right options.
        image_N: the image of each question.
        folds: number of parts; 2 for sets so large that even half of them is more than a fit takes.
        seed: of the order in which images are dealt, and of the questions drawn for a fit.

    Returns:
        float64 [N]; None where there is not enough to fit on: fewer than 20 questions, one image, a part without any
        other questions, or no words at all.
    """
    option_NO, texts = _index_texts(options_NO)
    images, image_N = np.unique(image_N, return_inverse=True)
    if len(option_NO) < MIN_QUESTIONS or len(images) < 2 or not _has_words(texts):
        return None
    folds = min(folds if len(option_NO) < 2 * MAX_FIT_QUESTIONS else 2, len(images))
    first_N = np.unique(np.sort(option_NO, axis=1), axis=0, return_index=True, return_inverse=True)[1:]
    image_fold = np.random.default_rng(seed).permutation(len(images)) % folds
    fold_N = image_fold[image_N][first_N[0][first_N[1].ravel()]]
    count_CV = _vectorizer().fit_transform(texts)
    score_NO = np.empty(option_NO.shape)
    for fold in np.unique(fold_N):
        in_fold_N = fold_N == fold
        fit_N = _draw_questions(np.flatnonzero(~np.isin(image_N, image_N[in_fold_N])), seed)
        if not len(fit_N):
            return None
        score_C = _scores(count_CV, option_NO[fit_N], answer_N[fit_N], count_CV)
        score_NO[in_fold_N] = score_C[option_NO[in_fold_N]]
    return choice_credit(score_NO, answer_N)


def transfer_credit(
    train_options_NO: Sequence[Sequence[str]],
    train_answer_N: np.ndarray,
    options_NO: Sequence[Sequence[str]],
    answer_N: np.ndarray,
    seed: int = 0,
) -> np.ndarray | None:
    """Credit of each question [N] from a scorer fitted on the questions of another set.

    Args:
        train_options_NO: the texts of the options to fit on.
        train_answer_N: the right ones.
        options_NO: the texts of the options to score.
        answer_N: the right ones.
        seed: of the questions drawn for the fit.

    Returns:
        float64 [N]; None where the other set has fewer than 20 questions, or no words at all.
    """
    chosen_N = _draw_questions(np.arange(len(train_answer_N)), seed)
    train_option_NO, train_texts = _index_texts([train_options_NO[n] for n in chosen_N])
    if len(train_option_NO) < MIN_QUESTIONS or not _has_words(train_texts):
        return None
    option_NO, texts = _index_texts(options_NO)
    vectorizer = _vectorizer()
    train_CV = vectorizer.fit_transform(train_texts)
    score_C = _scores(train_CV, train_option_NO, train_answer_N[chosen_N], vectorizer.transform(texts))
    return choice_credit(score_C[option_NO], answer_N)


def fit_settings() -> list[Any]:
    """What credits depend on beside the questions: the definition of the scorer here, and the library."""
    import sklearn

    return [FIT_VERSION, MAX_FIT_QUESTIONS, sklearn.__version__]


def fit_remark(questions: int) -> str:
    """What a reader of figures fitted on a set with this many questions must know; "" where all could be used."""
    if questions <= MAX_FIT_QUESTIONS:
        return ""
    return f"fitted on {MAX_FIT_QUESTIONS:,} of {questions:,} questions at most, drawn at random"


def _draw_questions(index_N: np.ndarray, seed: int) -> np.ndarray:
    """These questions, or MAX_FIT_QUESTIONS of them drawn at random, in their order."""
    if len(index_N) <= MAX_FIT_QUESTIONS:
        return index_N
    return np.sort(np.random.default_rng(seed).choice(index_N, MAX_FIT_QUESTIONS, replace=False))


def _index_texts(options_NO: Sequence[Sequence[str]]) -> tuple[np.ndarray, list[str]]:
    """Each option's index among the distinct captions [N, O], and these: equal captions then tie exactly."""
    index: dict[str, int] = {}
    option_NO = [[index.setdefault(text, len(index)) for text in options] for options in options_NO]
    return np.array(option_NO, np.int64), list(index)


def _has_words(texts: list[str]) -> bool:
    """Whether any text has a letter or a digit."""
    return any(character.isalnum() for text in texts for character in text)


def _vectorizer() -> Any:
    """Counts words and pairs of adjacent words."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(ngram_range=(1, 2), lowercase=True, token_pattern=r"\w+")


def _scores(train_CV: Any, option_NO: np.ndarray, answer_N: np.ndarray, scored_CV: Any) -> np.ndarray:
    """The score of each caption of scored_CV [C] by a model fitted on the questions option_NO (rows of train_CV).

    train_CV, scored_CV: counts of words and pairs, sparse. A caption of many questions is one right and one wrong
    example, weighted by how often it was either.
    """
    from sklearn.linear_model import LogisticRegression

    right_C = np.bincount(option_NO[np.arange(len(answer_N)), answer_N], minlength=train_CV.shape[0])
    wrong_C = np.bincount(option_NO.ravel(), minlength=train_CV.shape[0]) - right_C
    right, wrong = np.flatnonzero(right_C), np.flatnonzero(wrong_C)
    label = np.repeat([1, 0], [len(right), len(wrong)])
    weight = np.concatenate([right_C[right], wrong_C[wrong]])
    # Both solvers end at the same optimum. Newton's is several times as fast on many questions; on fewer, figures stay
    # those of earlier versions to the last digit.
    solver = "newton-cg" if len(answer_N) >= MAX_FIT_QUESTIONS else "lbfgs"
    model = LogisticRegression(max_iter=1000, solver=solver)
    model.fit(train_CV[np.concatenate([right, wrong])], label, sample_weight=weight)
    return model.decision_function(scored_CV)
