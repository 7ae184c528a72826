"""Hugging Face's configs of CLIPModel and SiglipModel, in and out: config.json and preprocessor_config.json.

Source: transformers 5.23.0, CLIPConfig, SiglipConfig (a config.json leaves out what equals their defaults),
CLIPImageProcessor and SiglipImageProcessor.
"""

import json
from collections.abc import Mapping
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import Activation, CLIPConfig, TextConfig, VisionConfig

NAME, PREPROCESSOR = "config.json", "preprocessor_config.json"
_ACTIVATIONS: dict[str, Activation] = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
_WRITTEN = {"quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh"}
_BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_CLIP_VISION: dict[str, Any] = {
    **_BASE,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
_CLIP_TEXT: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "eos_token_id": 49407,
}
_TANH = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
_SIGLIP_VISION: dict[str, Any] = {**_BASE, "image_size": 224, "patch_size": 16, **_TANH, "vision_use_head": True}
_SIGLIP_TEXT: dict[str, Any] = {
    **_BASE,
    "vocab_size": 32000,
    "max_position_embeddings": 64,
    **_TANH,
    "projection_size": None,
}
_FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def read_config(folder: epath.Path) -> CLIPConfig:
    """The architecture of a folder's config.json. Raises NegjaxError for models that are neither CLIP nor SigLIP."""
    path = folder / NAME
    data = _json(path)
    kind = data.get("model_type")
    if kind not in ("clip", "siglip"):
        raise NegjaxError(f"{path} is of a {kind!r} model: of transformers' models CLIP and SigLIP are supported")
    try:
        config = _clip(data) if kind == "clip" else _siglip(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise NegjaxError(f"{path} is not a whole config ({type(error).__name__}: {error})") from error
    except NegjaxError as error:
        raise NegjaxError(f"{path}: {error}") from error
    return config


def _clip(data: Mapping[str, Any]) -> CLIPConfig:
    vision = _CLIP_VISION | _tower(data, "vision_config")
    text = _CLIP_TEXT | _tower(data, "text_config")
    # 2 is what old configs say; transformers then takes the largest id, as OpenAI does.
    largest = text["eos_token_id"] in (2, text["vocab_size"] - 1)
    return CLIPConfig(
        "custom",
        data.get("projection_dim", 512),
        VisionConfig(vision["image_size"], vision["patch_size"], *_sizes(vision)),
        TextConfig(
            text["max_position_embeddings"],
            text["vocab_size"],
            *_sizes(text),
            pool="argmax" if largest else "eos",
            end_token=0 if largest else text["eos_token_id"],
        ),
        logit_scale_init=data.get("logit_scale_init_value", 2.6592),
    )


def _siglip(data: Mapping[str, Any]) -> CLIPConfig:
    vision = _SIGLIP_VISION | _tower(data, "vision_config")
    text = _SIGLIP_TEXT | _tower(data, "text_config")
    if not vision["vision_use_head"]:
        raise NegjaxError("its image tower has no pooling head: not supported")
    return CLIPConfig(
        "custom",
        text["projection_size"] or text["hidden_size"],
        VisionConfig(
            vision["image_size"],
            vision["patch_size"],
            *_sizes(vision),
            class_token=False,
            patch_bias=True,
            norm_pre=False,
            pool="attention",
            projection=False,
        ),
        TextConfig(
            text["max_position_embeddings"],
            text["vocab_size"],
            *_sizes(text),
            causal=False,
            pool="last",
            projection_bias=True,
        ),
        logit_scale_init=2.302585092994046,
        logit_bias_init=-10.0,
    )


def _tower(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of a tower; old files repeat them, with precedence, under "NAME_dict"."""
    return {**(data.get(name) or {}), **(data.get(f"{name}_dict") or {})}


def _sizes(tower: Mapping[str, Any]) -> tuple[int, int, int, int, Activation, float]:
    act = tower["hidden_act"]
    if act not in _ACTIVATIONS:
        raise NegjaxError(f"hidden_act is {act!r}: there are {', '.join(_ACTIVATIONS)}")
    return (
        tower["hidden_size"],
        tower["num_hidden_layers"],
        tower["num_attention_heads"],
        tower["intermediate_size"],
        _ACTIVATIONS[act],
        tower["layer_norm_eps"],
    )


def read_preprocess(folder: epath.Path, config: CLIPConfig) -> Preprocess | None:
    """What a folder's preprocessor_config.json says, at the size of the architecture; None without one."""
    path = folder / PREPROCESSOR
    if not path.exists():
        return None
    data = _json(path)
    size = data.get("size") or {}
    squash = isinstance(size, Mapping) and "height" in size and not data.get("do_center_crop", False)
    resample = data.get("resample", 3)
    if resample not in _FILTERS:
        raise NegjaxError(f"{path}: resample is {resample!r}; there are 2 (bilinear) and 3 (bicubic)")
    try:
        return Preprocess(
            config.vision.image_size,
            tuple(data["image_mean"]),
            tuple(data["image_std"]),
            _FILTERS[resample],  # type: ignore[arg-type]
            "squash" if squash else "shortest",
        )
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"{path} is not a whole preprocessor config ({error})") from error


def write_config(config: CLIPConfig) -> dict[str, Any]:
    """The content of config.json. Raises NegjaxError for what neither CLIPModel nor SiglipModel can compute."""
    vision, text = config.vision, config.text
    siglip = vision.pool == "attention"
    fits = (
        (text.projection_bias and not text.causal and text.pool == "last" and not vision.projection)
        if siglip
        else (
            vision.pool == "token"
            and vision.norm_pre
            and text.causal
            and text.pool in ("argmax", "eos")
            and config.logit_bias_init is None
        )
    )
    if not fits:
        raise NegjaxError(f"transformers has no model of this form ({config.name}): use --to open_clip")
    both = {
        name: {
            "hidden_size": tower.width,
            "intermediate_size": tower.mlp_width,
            "num_hidden_layers": tower.depth,
            "num_attention_heads": tower.heads,
            "hidden_act": _WRITTEN[tower.activation],
            "layer_norm_eps": tower.layer_norm_eps,
        }
        for name, tower in (("vision", vision), ("text", text))
    }
    vision_config = {**both["vision"], "image_size": vision.image_size, "patch_size": vision.patch_size}
    text_config = {
        **both["text"],
        "vocab_size": text.vocab_size,
        "max_position_embeddings": text.context_length,
    }
    kind: dict[str, Any]
    if siglip:
        kind = {"architectures": ["SiglipModel"], "model_type": "siglip"}
        text_config |= {"projection_size": config.embed_dim}
    else:
        kind = {"architectures": ["CLIPModel"], "model_type": "clip"}
        end = text.end_token or text.vocab_size - 1
        text_config |= {"eos_token_id": end, "bos_token_id": end - 1, "projection_dim": config.embed_dim}
        vision_config |= {"projection_dim": config.embed_dim}
        kind |= {"projection_dim": config.embed_dim, "logit_scale_init_value": config.logit_scale_init}
    return {**kind, "torch_dtype": "float32", "text_config": text_config, "vision_config": vision_config}


def write_preprocess(config: CLIPConfig, preprocess: Preprocess) -> dict[str, Any]:
    """The content of preprocessor_config.json. Raises NegjaxError for a resize mode that transformers does not have."""
    if preprocess.resize_mode == "longest":
        raise NegjaxError("transformers has no preprocessing that keeps the long side: use --to open_clip")
    squash, size = preprocess.resize_mode == "squash", preprocess.size
    siglip = config.vision.pool == "attention"
    square = {"height": size, "width": size}
    if siglip and not squash:
        raise NegjaxError("transformers squashes the images of SigLIP, this model crops them: use --to open_clip")
    found: dict[str, Any] = {
        "image_processor_type": "SiglipImageProcessor" if siglip else "CLIPImageProcessor",
        "do_resize": True,
        "size": square if squash else {"shortest_edge": size},
        "resample": {name: number for number, name in _FILTERS.items()}[preprocess.interpolation],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
        "do_convert_rgb": True,
    }
    return found if siglip else found | {"do_center_crop": not squash, "crop_size": square}


def _json(path: epath.Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise NegjaxError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise NegjaxError(f"{path} does not hold settings by name")
    return data
