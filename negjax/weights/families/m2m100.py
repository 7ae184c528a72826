"""The encoder of transformers' M2M100 models, of which NLLB is one: tensor names and config, in and out.

Source: transformers 5.24, M2M100Config and M2M100Encoder.
"""

from collections.abc import Mapping
from typing import Any

from negjax.models.architecture import TextEncoderConfig
from negjax.weights.families import hf_towers
from negjax.weights.families.family import TableRow
from negjax.weights.families.rows import linear_rows, norm_rows, projection_rows, row
from negjax.weights.tensor_layouts import QKV_APART, SAME

M2M100_TYPE = "m2m_100"
_DEFAULTS: dict[str, Any] = {
    "d_model": 1024,
    "encoder_layers": 12,
    "encoder_attention_heads": 16,
    "encoder_ffn_dim": 4096,
    "activation_function": "relu",
    "vocab_size": 128112,
    "max_position_embeddings": 1024,
    "pad_token_id": 1,
    "scale_embedding": True,
}


def m2m100_rows(prefix: str) -> list[TableRow]:
    """The encoder whose modules start with `prefix`; its positions are no parameters."""
    path, name = "text/transformer/blocks/{i}", f"{prefix}layers.{{i}}"
    return [
        row("text/tokens", f"{prefix}embed_tokens.weight", SAME),
        *norm_rows(f"{path}/norm1", f"{name}.self_attn_layer_norm"),
        *projection_rows(f"{path}/attention/qkv", tuple(f"{name}.self_attn.{x}_proj" for x in "qkv"), QKV_APART),
        *linear_rows(f"{path}/attention/out", f"{name}.self_attn.out_proj"),
        *norm_rows(f"{path}/norm2", f"{name}.final_layer_norm"),
        *linear_rows(f"{path}/up", f"{name}.fc1"),
        *linear_rows(f"{path}/down", f"{name}.fc2"),
        *norm_rows("text/norm_final", f"{prefix}layer_norm"),
    ]


def read_m2m100(data: Mapping[str, Any]) -> TextEncoderConfig:
    """The encoder of a config.json; its context is as long as it says. Raises NegjaxError if it is not supported."""
    settings = {**_DEFAULTS, **data}
    sizes = {
        "hidden_size": settings["d_model"],
        "num_hidden_layers": settings["encoder_layers"],
        "num_attention_heads": settings["encoder_attention_heads"],
        "intermediate_size": settings["encoder_ffn_dim"],
        "hidden_act": settings["activation_function"],
        "layer_norm_eps": 1e-5,
    }
    return TextEncoderConfig(
        settings["max_position_embeddings"],
        settings["vocab_size"],
        *hf_towers.read_sizes(sizes),
        pad_id=settings["pad_token_id"],
        positions="waves",
        max_positions=0,
        token_types=0,
        norm_first=True,
        scale_tokens=settings["scale_embedding"],
        pool="first",
    )


def write_m2m100(text: TextEncoderConfig) -> dict[str, Any]:
    """The inverse of `read_m2m100`: the content of config.json, with the smallest decoder that transformers makes."""
    return {
        "architectures": ["M2M100Model"],
        "model_type": M2M100_TYPE,
        "d_model": text.width,
        "encoder_layers": text.depth,
        "encoder_attention_heads": text.heads,
        "encoder_ffn_dim": text.mlp_width,
        "activation_function": hf_towers.HIDDEN_ACT[text.activation],
        "vocab_size": text.vocab_size,
        "max_position_embeddings": text.context_length,
        "pad_token_id": text.pad_id,
        "scale_embedding": text.scale_tokens,
        "decoder_layers": 1,
        "decoder_attention_heads": text.heads,
        "decoder_ffn_dim": 1,
    }
