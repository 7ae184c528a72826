"""Between two models' weights: WiSE-FT (Wortsman et al. 2022, Robust fine-tuning of zero-shot models)."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.models.loaded import LoadedModel
from negjax.weights.read import fingerprint


def interpolate(start: LoadedModel, end: LoadedModel, share: float) -> LoadedModel:
    """(1 - share) x start + share x end for every parameter, the logit scale included.

    Worked out in float64 and rounded once to float32; a share of 0 or 1 gives the one or the other to the bit. `origin`
    and `info` of the result name both. Raises NegjaxError for a share that is not between 0 and 1 and where the two
    differ in architecture, activation, preprocessing or tokenizer.
    """
    if not 0 <= share <= 1:
        raise NegjaxError(f"--share {share:g}: it must lie between 0 and 1")
    for what, one, other in _compared(start, end):
        if one != other:
            here, there = start.info["source"], end.info["source"]
            raise NegjaxError(f"{what} is {_short(one)} in {here} and {_short(other)} in {there}: they cannot be mixed")

    def mix(a: Any, b: Any) -> np.ndarray:
        if share in (0, 1):
            return np.asarray(b if share else a)
        first = np.asarray(a, np.float64)
        return np.asarray(first + share * (np.asarray(b, np.float64) - first), np.float32)

    params = jax.tree.map(mix, start.params, end.params)
    origin: dict[str, Any] = {"interpolated": {"share": share, "start": _said(start), "end": _said(end)}}
    if (trained := _trained_with(start)) != start.config.activation:
        origin["activation"] = trained
    info = {
        "arch": start.config.name,
        "activation": start.config.activation,
        "source": f"{1 - share:g} x {start.info['source']} + {share:g} x {end.info['source']}",
        "sha256": fingerprint(params),
        "origin": origin,
    }
    if "activation" in origin:
        info["activation_of_weights"] = trained
    return dataclasses.replace(start, params=params, info=info, origin=origin, stored={})


def _compared(start: LoadedModel, end: LoadedModel) -> Iterator[tuple[str, Any, Any]]:
    """What must agree: its name and the two values. Names of architectures and first logit scales may differ."""
    for tower in ("vision", "text"):
        one, other = (dataclasses.asdict(getattr(model.config, tower)) for model in (start, end))
        yield from ((f"{tower} {key}", one[key], other[key]) for key in one)
    yield "embed_dim", start.config.embed_dim, end.config.embed_dim
    yield "having a logit bias", start.config.logit_bias_init is not None, end.config.logit_bias_init is not None
    yield "the activation of the weights", _trained_with(start), _trained_with(end)
    one, other = (dataclasses.asdict(model.preprocess) for model in (start, end))
    yield from ((f"preprocessing {key}", one[key], other[key]) for key in one)
    yield "the tokenizer", start.tokenizer.to_dict(), end.tokenizer.to_dict()


def _trained_with(model: LoadedModel) -> str:
    """The activation that the weights were made with; the one they are used with where that is not known."""
    recorded = model.origin.get("activation", "unknown")
    return model.config.activation if recorded == "unknown" else recorded


def _said(model: LoadedModel) -> dict[str, Any]:
    return {key: model.info[key] for key in ("source", "step", "ema", "sha256", "origin") if key in model.info}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
