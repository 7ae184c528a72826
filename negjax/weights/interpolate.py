"""Interpolation between the weights of two models: WiSE-FT.

Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.models.clip import fingerprint
from negjax.models.loaded import LoadedModel, input_settings
from negjax.models.text_adapters import check_unadapted

# In these open_clip and transformers differ for all models.
_OF_LIBRARIES = ("preprocessing rgb_first", "preprocessing crop_rounding")


def interpolate(start: LoadedModel, end: LoadedModel, share: float) -> LoadedModel:
    """Computes (1 - share) * start + share * end for every parameter, the logit scale included.

    Computed in float64 and rounded once to float32; a share of 0 or 1 gives `start` or `end` to the bit.

    Args:
        start: Usually the model that training started from.
        end: Usually the trained model.
        share: Weight of `end`, WiSE-FT's alpha.

    Returns:
        The mixed model, whose `origin` and `info` name both.

    Raises:
        NegjaxError: If the share is not in [0, 1], or the models differ in architecture, activation, preprocessing or
            tokenizer.
    """
    if not 0 <= share <= 1:
        raise NegjaxError(f"--share {share:g} must be between 0 and 1")
    for model in (start, end):
        check_unadapted(model, "a mix of weights")
    for setting, start_value, end_value in _compare_settings(start, end):
        if start_value != end_value:
            remedy = ", unless one is first converted to the other's format (--to)" if setting in _OF_LIBRARIES else ""
            raise NegjaxError(
                f"{setting} is {_shorten(start_value)} in {start.info['source']} and {_shorten(end_value)} in "
                f"{end.info['source']}: they cannot be mixed{remedy}"
            )

    def mix(start_param: Any, end_param: Any) -> np.ndarray:
        if share in (0, 1):
            return np.asarray(end_param if share else start_param)
        start64 = np.asarray(start_param, np.float64)
        return np.asarray(start64 + share * (np.asarray(end_param, np.float64) - start64), np.float32)

    params = jax.tree.map(mix, start.params, end.params)
    origin: dict[str, Any] = {"interpolated": {"share": share, "start": _summarise(start), "end": _summarise(end)}}
    weights_activation = _weights_activation(start)
    if weights_activation != start.config.activation:
        origin["activation"] = weights_activation
    info = {
        "arch": start.config.name,
        "activation": start.config.activation,
        "source": f"{1 - share:g} x {start.info['source']} + {share:g} x {end.info['source']}",
        "sha256": fingerprint(params),
        "origin": origin,
    }
    if "activation" in origin:
        info["activation_of_weights"] = weights_activation
    return dataclasses.replace(start, params=params, info=info, origin=origin, stored={})


def _compare_settings(start: LoadedModel, end: LoadedModel) -> Iterator[tuple[str, Any, Any]]:
    """What must agree, as (name, value of start, value of end). Names and first logit scales may differ."""
    for tower in ("vision", "text"):
        start_tower, end_tower = (dataclasses.asdict(getattr(model.config, tower)) for model in (start, end))
        start_kind, end_kind = (type(getattr(model.config, tower)).__name__ for model in (start, end))
        yield f"the {tower} tower", start_kind, end_kind
        yield from ((f"{tower} {key}", start_tower[key], end_tower[key]) for key in start_tower)
    yield "embed_dim", start.config.embed_dim, end.config.embed_dim
    yield "having a logit bias", start.config.logit_bias_init is not None, end.config.logit_bias_init is not None
    yield "the activation of the weights", _weights_activation(start), _weights_activation(end)
    start_inputs, end_inputs = input_settings(start), input_settings(end)
    for setting in start_inputs | end_inputs:  # tokenizers of two kinds have different settings
        yield setting, start_inputs.get(setting), end_inputs.get(setting)


def _weights_activation(model: LoadedModel) -> str:
    """The activation that the weights were made with; where that is unknown, the one they are used with."""
    recorded = model.origin.get("activation", "unknown")
    return model.config.activation if recorded == "unknown" else recorded


def _summarise(model: LoadedModel) -> dict[str, Any]:
    return {key: model.info[key] for key in ("source", "step", "ema", "sha256", "origin") if key in model.info}


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
