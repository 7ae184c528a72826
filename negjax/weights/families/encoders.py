"""transformers' text encoders in open_clip's configs, which give the encoder's name, pooling and projection.

Source: open_clip_torch 3.3.0, HFTextEncoder.
"""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.json_values import check_values
from negjax.models.architecture import EncoderPool, TextEncoderConfig
from negjax.models.encoders import ENCODERS, known_encoder
from negjax.weights.families import hf_towers
from negjax.weights.families.bert import BERT_TYPES, read_bert, write_bert
from negjax.weights.families.family import WeightFormat
from negjax.weights.families.m2m100 import M2M100_TYPE, read_m2m100, write_m2m100
from negjax.weights.json_files import read_json_object

logger = logging.getLogger(__name__)

ENCODER_CONFIG_FILE = "config.json"
MODEL_TYPE_KEY = "hf_model_type"  # added to a text_cfg: which class of encoder its name stands for
_POOL_OF_POOLER: dict[str, EncoderPool] = {
    "mean_pooler": "mean",
    "cls_pooler": "pooler",
    "cls_last_hidden_state_pooler": "first",
}
_POOLER = {pool: pooler for pooler, pool in _POOL_OF_POOLER.items()}
ENCODER_TYPES = (*BERT_TYPES, M2M100_TYPE)


def read_encoder(data: Mapping[str, Any]) -> TextEncoderConfig:
    """The encoder of a config.json of transformers; its context is as long as its positions.

    Raises:
        NegjaxError: If it is not supported.
    """
    model_type = data.get("model_type")
    if model_type in BERT_TYPES:
        return read_bert(data)
    if model_type == M2M100_TYPE:
        return read_m2m100(data)
    names = ", ".join(ENCODER_TYPES)
    raise NegjaxError(f"unsupported model_type {model_type!r} of a text encoder; supported are {names}")


def write_encoder(text: TextEncoderConfig) -> dict[str, Any]:
    """The inverse of `read_encoder`: the content of config.json."""
    return write_m2m100(text) if text.positions == "waves" else write_bert(text)


def read_text(cfg: Mapping[str, Any], quick_gelu: bool, folder: epath.Path) -> TextEncoderConfig:
    """Reads a text_cfg that names an encoder on the Hugging Face hub, of which it gives no sizes.

    Args:
        cfg: open_clip's text_cfg.
        quick_gelu: Of no account for these encoders.
        folder: May have the encoder's config.json.

    Raises:
        NegjaxError: If the encoder is unknown and its config.json is not in the folder, or it is not supported.
    """
    encoder, pooler = _find_config(str(cfg["hf_model_name"]), folder), cfg.get("hf_pooler_type", "mean_pooler")
    first = "cls_last_hidden_state_pooler"
    if pooler is None:  # open_clip takes the usual one of the encoder, for a BERT without the layer that it may have
        pooler = "mean_pooler" if encoder.positions == "count" else first
    if pooler == "cls_pooler" and encoder.norm_first:  # has no such layer: open_clip takes its first token
        pooler = first
    if pooler not in _POOL_OF_POOLER:
        names = ", ".join(_POOL_OF_POOLER)
        raise NegjaxError(f"text_cfg.hf_pooler_type is {pooler!r}: not supported; supported are {names}")
    return dataclasses.replace(
        encoder,
        context_length=cfg.get("context_length", 77),
        pool=_POOL_OF_POOLER[pooler],
        projection=cfg.get("hf_proj_type", "mlp") or "none",
    )


def model_type(name: str, folder: epath.Path) -> str | None:
    """transformers' class of an encoder, as its config.json calls it; None if it is unknown."""
    data, _ = _config_json(name, folder)
    if data:
        return str(data["model_type"])
    encoder = known_encoder(name)
    return None if encoder is None else str(write_encoder(encoder)["model_type"])


def _find_config(name: str, folder: epath.Path) -> TextEncoderConfig:
    """The encoder of this name: the config.json in the folder, that of the folder `name`, or a known one."""
    data, path = _config_json(name, folder)
    if data:
        try:
            check_values(data, hf_towers.SETTING_KINDS)
            return read_encoder(data)
        except NegjaxError as error:
            raise NegjaxError(f"{path}: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NegjaxError(f"{path} is malformed ({type(error).__name__}: {error})") from error
    encoder = known_encoder(name)
    if encoder is None:
        raise NegjaxError(
            f"text_cfg.hf_model_name is {name!r}, whose sizes are unknown: put its config.json beside the weights"
        )
    return encoder


def _config_json(name: str, folder: epath.Path) -> tuple[dict[str, Any], epath.Path | None]:
    """The config.json of a text encoder in the folder or in the folder `name`, and its path; nothing if none is there.

    A config.json of the whole model may be in its place.
    """
    for path in (folder / ENCODER_CONFIG_FILE, epath.Path(name) / ENCODER_CONFIG_FILE):
        if path.exists():
            data = read_json_object(path)
            if data.get("model_type") in ENCODER_TYPES:
                return data, path
    return {}, None


def known_name(text: TextEncoderConfig) -> str | None:
    """A name on the Hugging Face hub under which transformers finds this encoder's config; None if none is known."""
    return next((name for name, known in ENCODERS.items() if _encoder_part(known) == _encoder_part(text)), None)


def _encoder_part(text: TextEncoderConfig) -> dict[str, Any]:
    """What transformers' config of an encoder says: not how open_clip uses it."""
    settings = dataclasses.asdict(text)
    return {name: x for name, x in settings.items() if name not in ("context_length", "pool", "projection")}


def sized_by_tensors(text: TextEncoderConfig, format: WeightFormat, tensors: Mapping[str, Any]) -> TextEncoderConfig:
    """A known encoder in the sizes of a file's tensors, whose name says no more than the rest; said where they differ.

    Args:
        text: The encoder; one that is not known by name comes from a config.json, which states its sizes.
        format: How the tensors are named.
        tensors: The tensors by name, with shapes.
    """
    if known_name(text) is None:
        return text

    def shape(path: str) -> tuple[int, ...]:
        tensor = tensors.get(format.tensor_name(path) or "")
        return tensor.shape if tensor is not None else ()

    blocks = (format.tensor_name("text/transformer/blocks/{i}/up/bias") or "").partition("{i}")
    depth = sum(name.startswith(blocks[0]) and name.endswith(blocks[2]) for name in tensors)
    first_mlp = tensors.get("0".join((blocks[0], blocks[2])))
    if not depth or first_mlp is None or len(shape("text/tokens")) != 2:
        return text  # the tensors that are missing are told where they are compared
    vocab_size, width = shape("text/tokens")
    sized = dataclasses.replace(
        text,
        vocab_size=vocab_size,
        width=width,
        depth=depth,
        heads=max(1, width // (text.width // text.heads)),
        mlp_width=first_mlp.shape[0],
        max_positions=(shape("text/positions") or (text.max_positions,))[0],
        token_types=(shape("text/token_types") or (text.token_types,))[0],
    )
    if sized != text:
        logger.warning(
            "the text encoder has %d blocks of width %d and %d tokens, %s has %d of %d and %d: heads of %d are assumed",
            *(
                depth,
                width,
                vocab_size,
                known_name(text),
                text.depth,
                text.width,
                text.vocab_size,
                width // sized.heads,
            ),
        )
    return sized


def write_text(text: TextEncoderConfig, folder: str) -> dict[str, Any]:
    """text_cfg, without the tokenizer; an encoder without a name is found in the folder to be written."""
    return {
        "hf_model_name": known_name(text) or str(Path(folder).resolve()),
        "hf_model_pretrained": False,
        "hf_proj_type": None if text.projection == "none" else text.projection,
        "hf_pooler_type": _POOLER[text.pool],
        "context_length": text.context_length,
    }
