"""transformers' BERT and RoBERTa: tensor names and config, in and out.

Source: transformers 5.24, BertConfig, RobertaConfig and XLMRobertaConfig.
"""

from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.models.architecture import TextEncoderConfig
from negjax.weights.families import hf_towers
from negjax.weights.families.family import TableRow
from negjax.weights.families.rows import linear_rows, norm_rows, projection_rows, row
from negjax.weights.tensor_layouts import QKV_APART, SAME

_ROBERTA_TYPES = ("roberta", "xlm-roberta", "camembert")
BERT_TYPES = ("bert", "chinese_clip_text_model", *_ROBERTA_TYPES)
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


def read_bert(data: Mapping[str, Any]) -> TextEncoderConfig:
    """The encoder of a config.json of transformers, or of a part of one; its context is as long as its positions.

    Raises:
        NegjaxError: If it is not supported.
    """
    for key, supported in _SUPPORTED_VALUES.items():
        if data.get(key, supported) != supported:
            raise NegjaxError(f"{key} is {data[key]!r}: only {supported!r} is supported")
    counts = data["model_type"] in _ROBERTA_TYPES
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


def write_bert(text: TextEncoderConfig) -> dict[str, Any]:
    """The inverse of `read_bert`: the content of config.json."""
    counts = text.positions == "count"
    return {
        "architectures": ["XLMRobertaModel" if counts else "BertModel"],
        "model_type": "xlm-roberta" if counts else "bert",
        **hf_towers.write_text(text),
        "max_position_embeddings": text.max_positions,
        "type_vocab_size": text.token_types,
        "pad_token_id": text.pad_id,
    }
