"""A model's figures on any number of sets: embed everything once, then score each set on its own."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax
import jax
import numpy as np

import negjax
from negjax.datasets.reading import Set
from negjax.errors import NegjaxError
from negjax.evaluation.bootstrap import figures, intervals
from negjax.evaluation.encode import encode_images, encode_texts, place
from negjax.evaluation.plan import Plan, Source
from negjax.evaluation.prepare import prepare
from negjax.evaluation.score import Columns, score
from negjax.models.loaded import LoadedModel
from negjax.runtime.metrics import counter


@dataclass
class EvalResult:
    """results: the content of results.json. files: the columns of each predictions/NAME.csv."""

    results: dict[str, Any]
    files: dict[str, Columns]


def evaluate(
    model: LoadedModel,
    sets: Plan | Sequence[Set],
    *,
    batch_size: int = 256,
    seed: int = 0,
    bootstrap: int = 1000,
    progress: bool = True,
) -> EvalResult:
    """Scores `model` on each set, or on the tasks of a plan made by `prepare`.

    batch_size: images, and captions, embedded at a time over all devices. bootstrap: resamples for the
    intervals (0 for none), drawn by `seed`. Raises NegjaxError for a set that cannot be evaluated, an image
    that cannot be read, and an embedding that is not finite.
    """
    if batch_size < 1:
        raise NegjaxError(f"the batch size is {batch_size}: it must be positive")
    context = model.config.text.context_length
    if isinstance(sets, Plan):
        plan = sets
    else:
        plan = prepare(sets, model.preprocess, model.tokenizer, context_length=context, keep_bytes=0)
    if plan.preprocess != model.preprocess or plan.token_CT.shape[1] != context:
        raise NegjaxError("the plan was prepared for another preprocessing or context length than the model's")
    image_DE, caption_CE = _embed(model, plan, batch_size, progress)
    tasks: dict[str, Any] = {}
    files: dict[str, Columns] = {}
    for task in plan.tasks:
        scored = score(task, image_DE, caption_CE)
        files |= scored.files
        tasks[task.name] = {
            "kind": task.kind,
            "negated": task.negated,
            "n": scored.n,
            "images": len(np.unique(task.image_N)),
            "metrics": figures(scored.credits),
            "ci95": intervals(scored.credits, resamples=bootstrap, seed=seed) if bootstrap else {},
            "blind": scored.blind,
        }
    return EvalResult({"model": dict(model.info), "software": software(), "tasks": tasks}, files)


def software() -> dict[str, str]:
    """Versions and devices, as they stand in results.json."""
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


def _embed(model: LoadedModel, plan: Plan, batch_size: int, progress: bool) -> tuple[np.ndarray, np.ndarray]:
    model, sharding = place(model)
    size = min(batch_size, len(plan.images))
    with counter(len(plan.images), "images", progress) as done:
        image_DE = encode_images(model, plan.pixels(size), size, sharding, done)
    with counter(len(plan.captions), "captions", progress) as done:
        caption_CE = encode_texts(model, plan.token_CT, batch_size, sharding, done)
    _check_finite(image_DE, plan.images, "image")
    _check_finite(caption_CE, plan.captions, "caption")
    return image_DE, caption_CE


def _check_finite(embedding_NE: np.ndarray, sources: list[Source], what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(embedding_NE).all(axis=1))
    if len(bad):
        raise NegjaxError(
            f"the model's embeddings of {len(bad)} of {len(sources)} {what}s are not finite, first in "
            f"{sources[bad[0]]}: its weights are damaged, or its numbers overflow in this precision"
        )
