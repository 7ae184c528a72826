"""Fits the constants of negation methods to a model on one labelled set.

Shapes: N rows of the set, D distinct media, X texts, E embedding width.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from etils import epath

from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.choices import choice_credit, option_scores
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.eval_data import Task
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.ranking import image_retrieval
from negjax.evaluation.steering_directions import fit_directions
from negjax.evaluation.tasks.kind import task_kind
from negjax.evaluation.tasks.retrieval import CaptionedImages
from negjax.language.parsed import Parsed
from negjax.language.splitter import split
from negjax.models.loaded import LoadedModel
from negjax.negation.calibration import Calibration, FittedMethod
from negjax.negation.method import NegationMethod, NegationScorer, Split
from negjax.negation.published import Constant
from negjax.negation.scorer import AnyText, CaptionVectors, CosineScorer, Scorer, caption_vectors
from negjax.negation.steering import Steering
from negjax.negation.table import GIVEN, ChosenMethod

Presence = tuple[int, str, bool]  # of a row's image and a concept: whether it is there
TextEmbeddings = dict[AnyText, np.ndarray]  # text -> its embedding


def calibrate(
    model: LoadedModel,
    data: StoredSet,
    methods: Sequence[ChosenMethod],
    *,
    batch_size: int = 256,
    cache_dir: epath.PathLike | None = None,
    progress: bool = True,
) -> Calibration:
    """Fits the constants of methods. Constants that the user gave stay as they are.

    First constants that follow from where concepts are and are not (`NegationMethod.fit_presence`), then, one after
    another, those for which the method has values to try: the value with the best metric, the middle of equal ones.

    Args:
        model: the model.
        data: a set with questions or captions.
        methods: the methods, with the constants to start from.
        batch_size: images, and captions, embedded at a time.
        cache_dir: folder of the cache of embeddings; None for none.
        progress: show bars.

    Raises:
        NegjaxError: a method has nothing to fit, or the set says nothing about it.
    """
    if batch_size < 1:
        raise NegjaxError(f"the batch size is {batch_size}: it must be positive")
    plan = prepare_eval_data([data], model.preprocess, blind_texts=False, cache_dir=cache_dir, progress=progress)
    (task,) = plan.tasks
    if task.kind != "retrieval" and task_kind(task.kind).questions(task.content) is None:
        raise NegjaxError(f"set {data.name} is of kind {task.kind!r}: calibrate on questions or on a retrieval set")
    read = functools.cache(split)
    presence = _presence(data, task, plan.captions, read)
    texts: list[AnyText] = list(plan.captions)
    methods = [_with_directions(chosen, model, [read(caption) for caption in plan.captions]) for chosen in methods]
    for chosen in methods:
        method = _method(chosen)
        scorer = chosen.scorer(read)
        if not any(method.changes(read(caption)) for caption in plan.captions):
            raise NegjaxError(f"set {data.name} has no caption that {chosen.name} changes: calibrate on a negated one")
        texts += scorer.texts(plan.captions)
        texts += [text for _, concept, _ in presence for text in method.presence_texts(concept)]
    texts = list(dict.fromkeys(texts))
    media_DE, text_XE = embed(model, plan, texts, batch_size, cache_dir=cache_dir, progress=progress)

    image_DE = media_DE[np.unique(task.media_N)]

    def score(scorer: Scorer) -> tuple[str, float]:
        return _metric(task, media_DE, caption_vectors(scorer, plan.captions, texts, text_XE, image_DE))

    embeddings = dict(zip(texts, text_XE))
    fitted = {}
    for chosen in methods:
        method = _method(chosen)
        free = [name for name, origin in chosen.origins.items() if origin != GIVEN]
        known = _fit_presence(method, data.name, presence, embeddings, media_DE[task.media_N])
        known = {name: value for name, value in known.items() if name in free}
        if chosen.name in fitted:
            raise NegjaxError(f"negation {chosen.name} is given twice: calibrate each method once")
        fitted[chosen.name] = _fit_grid(
            replace(method, **known), known, free, lambda each: score(NegationScorer(each, read))[1]
        )
        directions = getattr(method, "directions", None)
        if directions is not None:
            fitted[chosen.name] = replace(fitted[chosen.name], directions=directions.rows)
        elif not fitted[chosen.name].constants:
            raise NegjaxError(f"negation {chosen.label}: every constant is given by hand, nothing is left to fit")
    name, plain = score(CosineScorer())
    described = {key: str(model.info.get(key, "")) for key in ("arch", "source", "sha256")}
    return Calibration(described, {"name": data.name} | task.provenance["set"], name, plain, fitted)


def _fit_grid(
    method: NegationMethod, known: dict[str, Constant], free: Sequence[str], figure: Callable[[NegationMethod], float]
) -> FittedMethod:
    """Tries the values of each free constant, one constant after another."""
    curve: dict[str, list[list[float]]] = {}
    constants = dict(known)
    for name, values in method.grid.items():
        if name in free:
            curve[name] = [[value, figure(each)] for value, each in _valid(method, name, values)]
            constants[name] = _best(curve[name])
            method = replace(method, **{name: constants[name]})
    return FittedMethod(constants, figure(method), curve)


def _with_directions(chosen: ChosenMethod, model: LoadedModel, captions: Sequence[Parsed]) -> ChosenMethod:
    """Steering with directions fitted to the captions; other methods as they are."""
    if not isinstance(chosen.method, Steering):
        return chosen
    return replace(chosen, method=replace(chosen.method, directions=fit_directions(model, captions)))


def _method(chosen: ChosenMethod) -> NegationMethod:
    if chosen.method is None:
        raise NegjaxError("negation none has no constants: name a method")
    return chosen.method


def _metric(task: Task, media_DE: np.ndarray, captions: CaptionVectors) -> tuple[str, float]:
    """The name and value of what is maximised."""
    questions = task_kind(task.kind).questions(task.content)
    if questions is not None:
        score_NO = option_scores(media_DE, task.media_N, captions, questions.option_NO)
        return "accuracy", float(choice_credit(score_NO, questions.answer_N).mean())
    content: CaptionedImages = task.content
    own = captions.take(content.caption_C)
    ranks = image_retrieval(media_DE[task.media_N], own, content.owner_C, task.group_N)
    return "image_retrieval_recall@5", float(ranks.recall(5).mean())


def _presence(data: StoredSet, task: Task, captions: Sequence[str], read: Split) -> list[Presence]:
    """What is known to be there and not to be there: what right captions say, and labels of the set."""
    content, known = task.content, dict[tuple[int, str], bool]()
    questions = task_kind(task.kind).questions(content)
    if questions is not None:
        right = zip(range(len(data)), questions.option_NO[np.arange(len(data)), questions.answer_N])
    else:
        right = zip(content.owner_C.tolist(), content.caption_C)
    for row, caption in right:
        parsed = read(captions[caption])
        if parsed.operator != "or":
            known |= {(row, concept): True for concept in parsed.concepts}
            known |= {(row, concept): False for concept in parsed.negated}
    for row in range(len(data) if "captions" in data.fields else 0):
        record = data[row]
        known |= {(row, name): True for name in record["positive_objects"]}
        known |= {(row, name): False for name in record["negative_objects"]}
    return [(row, concept, is_there) for (row, concept), is_there in known.items()]


def _fit_presence(
    method: NegationMethod, name: str, presence: Sequence[Presence], embeddings: TextEmbeddings, image_NE: np.ndarray
) -> dict[str, Constant]:
    """The constants that follow from where concepts are there and where they are not."""
    concepts = {concept: method.presence_texts(concept) for _, concept, _ in presence}
    if not any(concepts.values()):
        return {}
    means = {
        concept: np.mean([embeddings[text] for text in texts], axis=0, dtype=np.float64)
        for concept, texts in concepts.items()
    }
    cosines = np.array([image_NE[row] @ means[concept] for row, concept, _ in presence])
    there = np.array([is_there for _, _, is_there in presence], bool)
    if there.all() or not there.any():
        missing = "is not" if there.all() else "is"
        raise NegjaxError(f"set {name} names no concept that {missing} there: calibrate on another set")
    return dict(method.fit_presence(cosines[there], cosines[~there]))


def _valid(method: NegationMethod, constant: str, values: Sequence[float]) -> list[tuple[float, NegationMethod]]:
    """The method with each of the values that its other constants allow."""
    valid = []
    for value in values:
        with suppress(NegjaxError):
            valid.append((value, replace(method, **{constant: value})))
    return valid


def _best(curve: Sequence[Sequence[float]]) -> float:
    """The value with the best figure; of equal ones the middle one, which is farthest from where it gets worse."""
    top = max(figure for _, figure in curve)
    best = [value for value, figure in curve if figure == top]
    return best[len(best) // 2]
