"""Evaluates a model on any number of sets: everything is embedded once, then each set is scored separately."""

import itertools
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flax
import jax
import numpy as np
from etils import epath

import negjax
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.blind.text_credits import text_remarks
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.eval_data import EvalData
from negjax.evaluation.media import VideoSampling
from negjax.evaluation.negation_measures import delta_recall
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.statistics.bootstrap import figures, intervals, unit_remarks
from negjax.evaluation.tasks.kind import Columns, task_kind
from negjax.models.loaded import LoadedModel
from negjax.negation.scorer import AnyText, CaptionVectors, CosineScorer, Scorer, caption_vectors


@dataclass
class TaskResults:
    """Figures and predictions of one evaluation.

    Attributes:
        results: the content of results.json.
        predictions: the columns of each predictions/NAME.csv.
    """

    results: dict[str, Any]
    predictions: dict[str, Columns]


def evaluate(
    model: LoadedModel,
    sets: EvalData | Sequence[StoredSet],
    *,
    scorer: Scorer = CosineScorer(),
    batch_size: int = 256,
    video: VideoSampling = VideoSampling(),
    cache_dir: epath.PathLike | None = None,
    seed: int = 0,
    bootstrap: int = 1000,
    progress: bool = True,
) -> TaskResults:
    """Scores a model on sets. In a run of several processes all must call it; all get the results.

    Args:
        model: the model to evaluate.
        sets: the sets, or the result of `prepare_eval_data` for them.
        scorer: how captions are scored against images.
        batch_size: images or frames, and captions, embedded at a time over all devices.
        video: how clips are sampled, for sets that are not prepared.
        cache_dir: folder of the cache of embeddings, and of text-only credits of sets that are not prepared, with which
            a stopped evaluation can be resumed; None for none.
        seed: seed of the resamples.
        bootstrap: resamples for the intervals; 0 for none.
        progress: show bars.

    Raises:
        NegjaxError: a set cannot be evaluated, media cannot be read, or an embedding is not finite.
    """
    (results,) = evaluate_scorers(
        model,
        sets,
        [scorer],
        batch_size=batch_size,
        video=video,
        cache_dir=cache_dir,
        seed=seed,
        bootstrap=bootstrap,
        progress=progress,
    )
    return results


def evaluate_scorers(
    model: LoadedModel,
    sets: EvalData | Sequence[StoredSet],
    scorers: Sequence[Scorer],
    *,
    batch_size: int = 256,
    video: VideoSampling = VideoSampling(),
    cache_dir: epath.PathLike | None = None,
    seed: int = 0,
    bootstrap: int = 1000,
    progress: bool = True,
) -> list[TaskResults]:
    """As `evaluate`, for several scorers that share all embeddings: the results of each."""
    if batch_size < 1:
        raise NegjaxError(f"the batch size is {batch_size}: it must be positive")
    if not isinstance(sets, EvalData):
        sets = prepare_eval_data(
            sets, model.preprocess, video=video, keep_bytes=0, cache_dir=cache_dir, progress=progress
        )
    data = sets
    if data.images.preprocess != model.preprocess:
        raise NegjaxError("the evaluation data were prepared for another preprocessing than the model's")
    needed: Iterator[AnyText] = (text for scorer in scorers for text in scorer.texts(data.captions))
    texts: list[AnyText] = list(dict.fromkeys((*data.captions, *needed)))
    media_DE, text_XE = embed(model, data, texts, batch_size, cache_dir=cache_dir, progress=progress)
    results = []
    for scorer in scorers:
        of_tasks = _vectors_of_tasks(scorer, data, media_DE, texts, text_XE)
        results.append(_score_tasks(model, data, media_DE, of_tasks, seed=seed, bootstrap=bootstrap))
    return results


def _vectors_of_tasks(
    scorer: Scorer, data: EvalData, media_DE: np.ndarray, texts: Sequence[AnyText], text_XE: np.ndarray
) -> Iterator[CaptionVectors]:
    """The captions' query vectors for each task: the same for all, unless the scorer reads the task's images."""
    if not scorer.reads_images:
        yield from itertools.repeat(caption_vectors(scorer, data.captions, texts, text_XE), len(data.tasks))
        return
    for task in data.tasks:
        yield caption_vectors(scorer, data.captions, texts, text_XE, media_DE[np.unique(task.media_N)])


def _score_tasks(
    model: LoadedModel,
    data: EvalData,
    media_DE: np.ndarray,
    vectors_of_tasks: Iterable[CaptionVectors],
    *,
    seed: int,
    bootstrap: int,
) -> TaskResults:
    """The figures and predictions of all tasks, from the embeddings of their media and the captions' query vectors."""
    tasks: dict[str, Any] = {}
    predictions: dict[str, Columns] = {}
    for task, captions in zip(data.tasks, vectors_of_tasks, strict=True):
        text_credits = data.text_credits.get(task.name, {})
        scores = task_kind(task.kind).score(task, media_DE, captions, text_credits)
        predictions |= {f"{task.name}{suffix}": columns for suffix, columns in scores.predictions.items()}
        remarks = [*scores.remarks, *text_remarks(task, text_credits), *unit_remarks(scores.credits)]
        tasks[task.name] = {
            "kind": task.kind,
            "negated": task.negated,
            "n": scores.n,
            "images": len(np.unique(task.media_N)),
            **task.provenance,
            "metrics": figures(scores.credits),
            "ci95": intervals(scores.credits, resamples=bootstrap, seed=seed) if bootstrap else {},
            "blind": scores.blind,
            **scores.details,
            **({"remarks": remarks} if remarks else {}),
        }
    for name, delta in delta_recall(tasks).items():
        tasks[name]["delta_recall"] = delta
    dtype = {} if model.compute.dtype == "float32" else {"dtype": model.compute.dtype}
    return TaskResults({"model": model.info | dtype, "software": software(), "tasks": tasks}, predictions)


def metric_names(data: EvalData, name: str) -> list[str]:
    """The metrics of a task of the data, found by scoring embeddings that are all equal."""
    task = data.task(name)
    media_DE, caption_CE = (
        np.eye(1, 2, dtype=np.float32).repeat(count, axis=0)
        for count in (len(data.images.keys) + len(data.clips.keys), len(data.captions))
    )
    return list(task_kind(task.kind).score(task, media_DE, CaptionVectors((caption_CE,)), {}).credits)


def software() -> dict[str, str]:
    """Versions and devices, for results.json."""
    devices = jax.devices()
    return {
        "negjax": negjax.__version__,
        "jax": jax.__version__,
        "flax": flax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "backend": jax.default_backend(),
        "devices": f"{len(devices)} x {devices[0].device_kind}",
    }
