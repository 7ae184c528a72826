"""Tower settings in the config.json of transformers' models, in and out, as families share them.

Source: transformers 5.23.0, CLIPConfig and SiglipConfig.
"""

from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.json_values import FLAG, OBJECT, TEXT, Kind, number, optional, whole
from negjax.models.architecture import Activation, ImageConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.field_checks import MAX_CONTEXT, MAX_DEPTH, MAX_IMAGE_SIZE

_SIZE, _TOKEN_ID = whole(1), optional(whole(0))
# What the settings that families read may be, wherever they are in config.json.
SETTING_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("vision_config", "text_config", "vision_config_dict", "text_config_dict"), optional(OBJECT)),
    **dict.fromkeys(("hidden_size", "intermediate_size", "num_attention_heads", "patch_size"), _SIZE),
    **dict.fromkeys(("d_model", "encoder_ffn_dim", "encoder_attention_heads"), _SIZE),
    **dict.fromkeys(("vocab_size", "type_vocab_size", "projection_dim"), _SIZE),
    "image_size": whole(1, MAX_IMAGE_SIZE),
    "max_position_embeddings": whole(1, MAX_CONTEXT),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _TOKEN_ID),
    "projection_size": optional(_SIZE),
    **dict.fromkeys(("num_hidden_layers", "encoder_layers"), whole(1, MAX_DEPTH)),
    **dict.fromkeys(("hidden_act", "activation_function"), TEXT),
    "layer_norm_eps": number(0),
    "logit_scale_init_value": number(),
    **dict.fromkeys(("vision_use_head", "scale_embedding"), FLAG),
}
BASE_SIZES = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_ACTIVATION_OF_HIDDEN_ACT: dict[str, Activation] = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
HIDDEN_ACT = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "relu": "relu",
    "silu": "silu",
}


def read_tower(data: Mapping[str, Any], key: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a tower: `key` of config.json over the class's defaults, which config.json leaves out."""
    return {**defaults, **(data.get(key) or {})}


def read_tower_of_old(data: Mapping[str, Any], key: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """As `read_tower`, for classes that still read the "KEY_dict" of old files.

    Where there is one, it decides every setting: what it leaves out has the class's default, whatever `key` says.
    """
    old = data.get(f"{key}_dict")
    return read_tower(data, key, defaults) if old is None else {**(data.get(key) or {}), **defaults, **old}


def read_sizes(tower: Mapping[str, Any]) -> tuple[int, int, int, int, Activation, float]:
    """Width, depth, heads, MLP width, activation and layer-norm epsilon.

    Raises:
        NegjaxError: If the activation is unknown.
    """
    hidden_act = tower["hidden_act"]
    if hidden_act not in _ACTIVATION_OF_HIDDEN_ACT:
        raise NegjaxError(f"unknown hidden_act {hidden_act!r}; supported are {', '.join(_ACTIVATION_OF_HIDDEN_ACT)}")
    return (
        tower["hidden_size"],
        tower["num_hidden_layers"],
        tower["num_attention_heads"],
        tower["intermediate_size"],
        _ACTIVATION_OF_HIDDEN_ACT[hidden_act],
        tower["layer_norm_eps"],
    )


def write_vision(vision: ImageConfig) -> dict[str, Any]:
    """vision_config of config.json, for a vision transformer."""
    assert isinstance(vision, VisionConfig)
    return {**_write_sizes(vision), "image_size": vision.image_size, "patch_size": vision.patch_size}


def write_text(text: TextConfig | TextEncoderConfig) -> dict[str, Any]:
    """text_config of config.json."""
    return {
        **_write_sizes(text),
        "vocab_size": text.vocab_size,
        "max_position_embeddings": text.context_length,
    }


def _write_sizes(tower: VisionConfig | TextConfig | TextEncoderConfig) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.mlp_width,
        "num_hidden_layers": tower.depth,
        "num_attention_heads": tower.heads,
        "hidden_act": HIDDEN_ACT[tower.activation],
        "layer_norm_eps": tower.layer_norm_eps,
    }
