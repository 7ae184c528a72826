"""Affirmation bias, the kind "affirmation": an affirmation and a negation of one object, of which one is true.

It also measures how far the text tower separates affirmations and negations of the same objects: NegBench (arXiv
2501.09425, section 5) shows that CLIP embeds "includes a dog" and "does not include a dog" almost alike.
Shapes: S sentences, C distinct captions of the evaluation, E embedding width.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.evaluation.choices import Questions
from negjax.evaluation.eval_data import Task
from negjax.evaluation.statistics.bootstrap import Credits
from negjax.evaluation.tasks.kind import AddCaption, Columns, TaskKind, TaskScores
from negjax.evaluation.tasks.questions import is_question, question_items, read_questions, score_questions
from negjax.negation.scorer import CaptionVectors


@dataclass
class Sentences:
    """Sentences about a list of objects.

    Attributes:
        objects: the object of each sentence.
        templates: the name of each sentence's template ("affirmation", "negation", ...).
        texts: the sentences.
        caption_S: their indices among the distinct captions.
    """

    objects: list[str]
    templates: list[str]
    texts: list[str]
    caption_S: np.ndarray


@dataclass
class AffirmationContent:
    """The questions of a set, and the sentences whose embeddings are drawn."""

    questions: Questions
    sentences: Sentences


def _read(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> AffirmationContent:
    """The questions, then the sentences; a sentence's second object is the next one of the list."""
    questions = read_questions(data, rows, add_caption)
    objects, templates = data.metadata["objects"], data.metadata["bias_templates"]
    sentences = Sentences([], [], [], np.zeros(0))
    for template_name, template in templates.items():
        for index, name in enumerate(objects):
            sentences.objects.append(name)
            sentences.templates.append(template_name)
            sentences.texts.append(template.format(a=name, b=objects[(index + 1) % len(objects)]))
    sentences.caption_S = np.array([add_caption(text, 0) for text in sentences.texts], np.int64)
    return AffirmationContent(questions, sentences)


def _score(
    task: Task, media_DE: np.ndarray, captions: CaptionVectors, text_credits: Mapping[str, np.ndarray]
) -> TaskScores:
    content: AffirmationContent = task.content
    scores = score_questions(task, content.questions, media_DE, captions, text_credits)
    sentence_SE = captions.vector_KCE[0][content.sentences.caption_S]
    scores.predictions[".bias"] = _bias_columns(content.sentences, sentence_SE)
    scores.details["affirmation_bias"] = {
        "text_separation": text_separation(content.sentences, sentence_SE),
        "image_separation": _mean_by_kind(scores.credits),
    }
    return scores


def _bias_columns(sentences: Sentences, sentence_SE: np.ndarray) -> Columns:
    """The sentences' coordinates for a picture."""
    x_S, y_S = principal_components(sentence_SE).T
    return {
        "object": sentences.objects,
        "template": sentences.templates,
        "x": x_S,
        "y": y_S,
        "text": sentences.texts,
    }


def _mean_by_kind(credits: Mapping[str, Credits]) -> float:
    """The mean accuracy on affirmations and on negations."""
    return float(np.mean([credit.mean() for name, credit in credits.items() if name != "accuracy"]))


def text_separation(sentences: Sentences, sentence_SE: np.ndarray) -> float:
    """How far a negation moves a sentence, relative to how far another object moves it.

    Args:
        sentences: which templates and objects the sentences have.
        sentence_SE: their embeddings, unit length.

    Returns:
        The mean cosine distance between affirmation and negation of an object, over the mean distance between the
        affirmations of two objects: 0 where "not" changes nothing, 1 where it changes as much as another object
        does. 0 where all affirmations are equal.
    """
    affirmation_OE, negation_OE = (_with_template(sentences, sentence_SE, name) for name in ("affirmation", "negation"))
    # Squared distances: twice the cosine ones, and exactly 0 between equals.
    moved = ((affirmation_OE - negation_OE) ** 2).sum(axis=1).mean()
    spread = ((affirmation_OE - affirmation_OE.mean(axis=0)) ** 2).sum()
    return float(moved / (2 * spread / (len(affirmation_OE) - 1))) if spread > 0 else 0.0


def principal_components(sentence_SE: np.ndarray) -> np.ndarray:
    """The sentences on their first two principal components [S, 2], signs fixed by the largest entry."""
    centred_SE = sentence_SE.astype(np.float64) - sentence_SE.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred_SE, full_matrices=False)
    axes_2E = axes[:2]
    signs = np.sign(axes_2E[np.arange(len(axes_2E)), np.abs(axes_2E).argmax(axis=1)])
    return centred_SE @ (signs[:, None] * axes_2E).T


def _with_template(sentences: Sentences, sentence_SE: np.ndarray, name: str) -> np.ndarray:
    """The embeddings of the sentences of one template, float64."""
    return sentence_SE[np.array(sentences.templates) == name].astype(np.float64)


AFFIRMATION = TaskKind(
    read=_read,
    score=_score,
    item_credits=question_items,
    main_blind=("mean_image",),
    file_suffixes=("", ".bias"),
    questions=lambda content: content.questions,
    has_questions=lambda task: True,
    is_valid=is_question,
)
