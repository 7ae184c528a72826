"""A model's figures on any number of sets: embed everything once, then score each set on its own."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax
import jax
import numpy as np
from etils import epath

import negjax
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.plan import Plan, Video
from negjax.evaluation.prepare import prepare
from negjax.evaluation.score import Columns, score
from negjax.evaluation.statistics.bootstrap import figures, intervals
from negjax.models.loaded import LoadedModel


@dataclass
class EvalResult:
    """results: the content of results.json. files: the columns of each predictions/NAME.csv."""

    results: dict[str, Any]
    files: dict[str, Columns]


def evaluate(
    model: LoadedModel,
    sets: Plan | Sequence[StoredSet],
    *,
    batch_size: int = 256,
    video: Video = Video(),
    cache_dir: epath.PathLike | None = None,
    seed: int = 0,
    bootstrap: int = 1000,
    progress: bool = True,
) -> EvalResult:
    """Scores `model` on each set, or on the tasks of a plan made by `prepare`.

    batch_size: images or frames, and captions, embedded at a time over all devices. video: how clips are cut, of sets
    that are not a plan yet. cache_dir: where embeddings are kept and looked for, so that an evaluation that was stopped
    goes on. bootstrap: resamples for the intervals (0 for none), drawn by `seed`. Every process of several must call
    this; each gets the result. Raises NegjaxError for a set that cannot be evaluated, media that cannot be read, and an
    embedding that is not finite.
    """
    if batch_size < 1:
        raise NegjaxError(f"the batch size is {batch_size}: it must be positive")
    context = model.config.text.context_length
    if isinstance(sets, Plan):
        plan = sets
    else:
        plan = prepare(sets, model.preprocess, model.tokenizer, context_length=context, video=video, keep_bytes=0)
    if plan.images.preprocess != model.preprocess or plan.token_CT.shape[1] != context:
        raise NegjaxError("the plan was prepared for another preprocessing or context length than the model's")
    media_DE, caption_CE = embed(model, plan, batch_size, cache_dir=cache_dir, progress=progress)
    tasks: dict[str, Any] = {}
    files: dict[str, Columns] = {}
    for task in plan.tasks:
        scored = score(task, media_DE, caption_CE, plan.text_credits.get(task.name, {}))
        files |= scored.files
        tasks[task.name] = {
            "kind": task.kind,
            "negated": task.negated,
            "n": scored.n,
            "images": len(np.unique(task.media_N)),
            **task.said,
            "metrics": figures(scored.credits),
            "ci95": intervals(scored.credits, resamples=bootstrap, seed=seed) if bootstrap else {},
            "blind": scored.blind,
            **scored.more,
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
