"""transformers' text encoders, as open_clip and transformers embed them: tensor names and configs, in and out.

Source: transformers 5.24, BertConfig, RobertaConfig, XLMRobertaConfig; open_clip_torch 3.3.0, HFTextEncoder.
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
from negjax.weights.families.family import TableRow, WeightFormat
from negjax.weights.families.rows import linear_rows, norm_rows, projection_rows, row
from negjax.weights.json_files import read_json_object
from negjax.weights.tensor_layouts import QKV_APART, SAME

logger = logging.getLogger(__name__)

ENCODER_CONFIG_FILE = "config.json"
_POOL_OF_POOLER: dict[str, EncoderPool] = {
    "mean_pooler": "mean",
    "cls_pooler": "pooler",
    "cls_last_hidden_state_pooler": "first",
}
_POOLER = {pool: pooler for pooler, pool in _POOL_OF_POOLER.items()}
_BERT_TYPES = ("bert", "chinese_clip_text_model")
_ROBERTA_TYPES = ("roberta", "xlm-roberta", "camembert")
BERT_DEFAULTS: dict[str, Any] = {
    **hf_towers.BASE_SIZES,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
_ROBERTA_DEFAULTS = BERT_DEFAULTS | {"pad_token_id": 1}
# Settings that change what an encoder computes and that ours does not have: only these values are supported.
_SUPPORTED_VALUES = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}


def bert_rows(prefix: str) -> list[TableRow]:
    """The encoder of BertModel and RobertaModel whose modules start with `prefix`, without a projection."""
    path, name = "text/transformer/blocks/{i}", f"{prefix}encoder.layer.{{i}}"
    projections = tuple(f"{name}.attention.self.{part}" for part in ("query", "key", "value"))
    return [
        row("text/tokens", f"{prefix}embeddings.word_embeddings.weight", SAME),
        row("text/positions", f"{prefix}embeddings.position_embeddings.weight", SAME),
        row("text/token_types", f"{prefix}embeddings.token_type_embeddings.weight", SAME),
        *norm_rows("text/norm_embedding", f"{prefix}embeddings.LayerNorm"),
        *projection_rows(f"{path}/attention/qkv", projections, QKV_APART),
        *linear_rows(f"{path}/attention/out", f"{name}.attention.output.dense"),
        *norm_rows(f"{path}/norm1", f"{name}.attention.output.LayerNorm"),
        *linear_rows(f"{path}/up", f"{name}.intermediate.dense"),
        *linear_rows(f"{path}/down", f"{name}.output.dense"),
        *norm_rows(f"{path}/norm2", f"{name}.output.LayerNorm"),
    ]


def read_encoder(data: Mapping[str, Any]) -> TextEncoderConfig:
    """The encoder of a config.json of transformers, or of a part of one; its context is as long as its positions.

    Raises:
        NegjaxError: If it is not supported.
    """
    model_type = data.get("model_type")
    if model_type not in (*_BERT_TYPES, *_ROBERTA_TYPES):
        names = ", ".join(("bert", *_ROBERTA_TYPES))
        raise NegjaxError(f"unsupported model_type {model_type!r} of a text encoder; supported are {names}")
    for key, supported in _SUPPORTED_VALUES.items():
        if data.get(key, supported) != supported:
            raise NegjaxError(f"{key} is {data[key]!r}: only {supported!r} is supported")
    counts = model_type in _ROBERTA_TYPES
    settings = {**(_ROBERTA_DEFAULTS if counts else BERT_DEFAULTS), **data}
    positions, pad_id = settings["max_position_embeddings"], settings["pad_token_id"]
    return TextEncoderConfig(
        positions - (pad_id + 1 if counts else 0),
        settings["vocab_size"],
        *hf_towers.read_sizes(settings),
        pad_id=pad_id,
        positions="count" if counts else "index",
        max_positions=positions,
        token_types=settings["type_vocab_size"],
    )


def write_encoder(text: TextEncoderConfig) -> dict[str, Any]:
    """The inverse of `read_encoder`: the content of config.json."""
    counts = text.positions == "count"
    return {
        "architectures": ["XLMRobertaModel" if counts else "BertModel"],
        "model_type": "xlm-roberta" if counts else "bert",
        **hf_towers.write_text(text),
        "max_position_embeddings": text.max_positions,
        "type_vocab_size": text.token_types,
        "pad_token_id": text.pad_id,
    }


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
    if pooler is None:  # open_clip takes the usual one of the encoder, for a BERT without the layer that it may have
        pooler = "mean_pooler" if encoder.positions == "count" else "cls_last_hidden_state_pooler"
    if pooler not in _POOL_OF_POOLER:
        names = ", ".join(_POOL_OF_POOLER)
        raise NegjaxError(f"text_cfg.hf_pooler_type is {pooler!r}: not supported; supported are {names}")
    return dataclasses.replace(
        encoder,
        context_length=cfg.get("context_length", 77),
        pool=_POOL_OF_POOLER[pooler],
        projection=cfg.get("hf_proj_type", "mlp") or "none",
    )


def _find_config(name: str, folder: epath.Path) -> TextEncoderConfig:
    """The encoder of this name: the config.json in the folder, that of the folder `name`, or a known one."""
    for path in (folder / ENCODER_CONFIG_FILE, epath.Path(name) / ENCODER_CONFIG_FILE):
        if path.exists():
            data = read_json_object(path)
            try:
                if data.get("model_type") in (*_BERT_TYPES, *_ROBERTA_TYPES):
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


def known_name(text: TextEncoderConfig) -> str | None:
    """A name on the Hugging Face hub under which transformers finds this encoder's config; None if none is known."""
    same = (
        name
        for name, known in ENCODERS.items()
        if text
        == dataclasses.replace(known, context_length=text.context_length, pool=text.pool, projection=text.projection)
    )
    return next(same, None)


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
