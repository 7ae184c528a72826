"""open_clip's model configs, in and out: `open_clip_config.json`, which its "local-dir:" reads.

The image tower is described by the family. Source: open_clip_torch 3.3.0, CLIP and PreprocessCfg.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.json_values import FLAG, OBJECT, TEXT, Kind, check_values, number, optional, whole
from negjax.media.images import Preprocess, check_channels
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig, with_activation
from negjax.models.field_checks import MAX_CONTEXT, MAX_DEPTH, MAX_IMAGE_SIZE
from negjax.models.presets import PRESETS, PRESETS_OF_NEGJAX, preset, variant_names
from negjax.tokenizers.cleaning import split_for_open_clip
from negjax.weights.families import encoders, open_clip_towers
from negjax.weights.families.family import OpenClipSupport
from negjax.weights.families.table import FAMILIES, family_of

CONFIG_FILE = "open_clip_config.json"
_SIZE, _DEPTH, _SWITCH = whole(1), whole(1, MAX_DEPTH), optional(FLAG)
_OBJECTS = ("preprocess_cfg", "norm_kwargs", "act_kwargs", "tokenizer_kwargs")
_NAMES = ("timm_model_name", "timm_pool", "timm_proj", "hf_model_name", "hf_tokenizer_name", "hf_pooler_type")
_DEPTHS = Kind(
    f"a whole number from 1 to {MAX_DEPTH}, or a list of them for a ResNet",
    lambda value: all(map(_DEPTH.holds, value)) if isinstance(value, list) else _DEPTH.holds(value),
)
# The settings that families read, wherever they are.
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("model_cfg", "vision_cfg", "text_cfg"), OBJECT),
    **dict.fromkeys(_OBJECTS, optional(OBJECT)),
    **dict.fromkeys(("embed_dim", "width", "heads", "head_width", "vocab_size", "attn_pooler_heads"), _SIZE),
    "image_size": whole(1, MAX_IMAGE_SIZE),
    "context_length": whole(1, MAX_CONTEXT),
    **dict.fromkeys(("quick_gelu", "no_ln_pre", "final_ln_after_pool", "no_causal_mask", "embed_cls"), _SWITCH),
    **dict.fromkeys(("proj_bias", "timm_proj_bias", "strip_sep_token"), _SWITCH),
    **dict.fromkeys((*_NAMES, "hf_proj_type", "proj_type", "interpolation", "resize_mode"), optional(TEXT)),
    **dict.fromkeys(("pool_type", "approximate", "clean", "mode"), TEXT),
    **dict.fromkeys(("eos_id", "pad_id"), whole(0)),
    "patch_size": optional(_SIZE),  # null for a ResNet
    "layers": _DEPTHS,
    "mlp_ratio": number(0),
    "eps": number(0),
    "init_logit_scale": number(),
    "init_logit_bias": optional(number()),
}


def read_config(text: str, where: str) -> tuple[CLIPConfig, Preprocess | None, dict[str, Any]]:
    """Reads an open_clip_config.json.

    Args:
        text: The file's content; a bare model config will do.
        where: The file; it may need others in its folder.

    Returns:
        The architecture, the preprocessing (None where the file has none) and the tokenizer's arguments.

    Raises:
        NegjaxError: If the file is malformed or its model is not supported.
    """
    try:
        data = json.loads(text)
        check_values(data, _KINDS)
        model_cfg = data.get("model_cfg", data)
        config = read_model_cfg(model_cfg, epath.Path(where).parent)
        is_complete = "model_cfg" in data  # then open_clip takes its defaults where preprocess_cfg is missing
        preprocess = None
        if is_complete:
            preprocess = read_preprocess_cfg(data.get("preprocess_cfg") or {}, config.vision.image_size)
        return config, preprocess, dict(model_cfg["text_cfg"].get("tokenizer_kwargs") or {})
    except NegjaxError as error:
        raise NegjaxError(f"{where}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise NegjaxError(f"{where} is not a model config of open_clip ({type(error).__name__}: {error})") from error


def read_model_cfg(model_cfg: Mapping[str, Any], folder: epath.Path) -> CLIPConfig:
    """The architecture of an open_clip model config in a folder, under open_clip's name for it where it has one."""
    coca = model_cfg["vision_cfg"].get("attentional_pool") or "embed_dim_caption" in model_cfg
    if unsupported := {"multimodal_cfg", "audio_cfg"} & set(model_cfg) - ({"multimodal_cfg"} if coca else set()):
        raise NegjaxError(f"models with {', '.join(sorted(unsupported))} are not supported")
    vision_cfg, text_cfg = dict(model_cfg["vision_cfg"]), dict(model_cfg["text_cfg"])
    open_clip_towers.check_tower("vision_cfg", vision_cfg)
    open_clip_towers.check_tower("text_cfg", text_cfg)
    if "hf_model_name" in text_cfg:
        text_cfg = text_cfg | {encoders.MODEL_TYPE_KEY: encoders.model_type(text_cfg["hf_model_name"], folder)}
        model_cfg = dict(model_cfg) | {"text_cfg": text_cfg}
    family = next((family for family in FAMILIES if family.open_clip and family.open_clip.matches(model_cfg)), None)
    if family is None or family.open_clip is None:
        raise NegjaxError("this model config is of no supported family")
    quick_gelu, bias = bool(model_cfg.get("quick_gelu", False)), model_cfg.get("init_logit_bias")
    config = CLIPConfig(
        "custom",
        model_cfg["embed_dim"],
        family.open_clip.read_vision(vision_cfg, quick_gelu),
        family.open_clip.read_text(text_cfg, quick_gelu, folder),
        logit_scale_init=model_cfg.get("init_logit_scale", math.log(1 / 0.07 if bias is None else 10)),
        logit_bias_init=None if bias is None else float(bias),
        family=family.name,
    )
    return with_known_name(config)


def known_name(config: CLIPConfig) -> str | None:
    """open_clip's name for an architecture, independent of `config.name`; None where it has none."""
    return _known_names().get(_embedding_part(config))


@cache
def _known_names() -> dict[CLIPConfig, str]:
    """open_clip's names by `_embedding_part`; of equal architectures the first one's."""
    names = [name for base in PRESETS if base not in PRESETS_OF_NEGJAX for name in variant_names(base)]
    return {_embedding_part(preset(name)): name for name in reversed(names)}


def with_known_name(config: CLIPConfig) -> CLIPConfig:
    """The same architecture under open_clip's name: for this activation, else for another, else "custom"."""
    others = (with_activation(config, preset.activation) for preset in PRESETS.values())
    name = known_name(config) or next(filter(None, map(known_name, dict.fromkeys(others))), "custom")
    return dataclasses.replace(config, name=name)


def _embedding_part(config: CLIPConfig) -> CLIPConfig:
    """The architecture without what does not change an embedding."""
    return dataclasses.replace(config, name="", logit_scale_init=0.0, logit_bias_init=None)


def read_preprocess_cfg(cfg: Mapping[str, Any], image_size: int) -> Preprocess:
    """open_clip's preprocessing, as it completes a preprocess_cfg, at the size of the architecture.

    Raises:
        NegjaxError: If a setting is malformed or not supported.
    """
    default = Preprocess()
    settings = {
        field: cfg.get(field) or getattr(default, field) for field in ("mean", "std", "interpolation", "resize_mode")
    }
    for field in ("mean", "std"):
        value = settings[field]
        settings[field] = (value,) * 3 if isinstance(value, int | float) else value
        check_channels(field, settings[field])
        settings[field] = tuple(settings[field])
    if settings["interpolation"] == "random":  # of training: open_clip evaluates with its default
        settings["interpolation"] = default.interpolation
    if settings["resize_mode"] == "longest" and cfg.get("fill_color"):
        raise NegjaxError(f"fill_color is {cfg['fill_color']!r}: only images on black (0) are supported")
    if cfg.get("mode", "RGB") != "RGB":
        raise NegjaxError(f"mode is {cfg['mode']!r}: only RGB is supported")
    return Preprocess(image_size, **settings)


def open_clip_support(config: CLIPConfig) -> OpenClipSupport:
    """How open_clip has the architecture's family. Raises NegjaxError if it does not."""
    support = family_of(config).open_clip
    if support is None:
        raise NegjaxError(f"open_clip has no models of the family {config.family} ({config.name}): use --to hf")
    return support


def write_config(
    config: CLIPConfig, preprocess: Preprocess, tokenizer: Mapping[str, Any], folder: str
) -> dict[str, Any]:
    """The content of open_clip_config.json.

    Args:
        config: The architecture.
        preprocess: The preprocessing.
        tokenizer: `to_dict()` of the model's tokenizer.
        folder: The folder to be written.

    Raises:
        NegjaxError: If open_clip cannot compute the model in the same way.
    """
    if preprocess.resize_size is not None or preprocess.interpolation not in ("bicubic", "bilinear"):
        raise NegjaxError(
            f"open_clip has no such preprocessing ({preprocess.interpolation}, resized to "
            f"{preprocess.resize_size or preprocess.size} pixels and cropped to {preprocess.size}): use --to hf"
        )
    support = open_clip_support(config)
    image_part = support.write_vision(config.vision)
    # What `quick_gelu` decides; convolutions, timm's towers and transformers' encoders have activations of their own.
    decided = set()
    if isinstance(config.vision, VisionConfig) and "timm_model_name" not in image_part["vision_cfg"]:
        decided.add(config.vision.activation == "quick_gelu")
    if isinstance(config.text, TextConfig):
        decided.add(config.text.activation == "quick_gelu")
    if len(decided) > 1:
        raise NegjaxError(f"open_clip has one activation for both towers, this model {config.activation}")
    model_cfg: dict[str, Any] = {"embed_dim": config.embed_dim, "quick_gelu": decided == {True}}
    if config.logit_bias_init is not None:
        model_cfg["init_logit_bias"] = config.logit_bias_init
    model_cfg |= image_part
    model_cfg["text_cfg"] = support.write_text(config.text, folder) | _write_tokenizer_cfg(tokenizer)
    return {
        "model_cfg": model_cfg,
        "preprocess_cfg": {
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "interpolation": preprocess.interpolation,
            "resize_mode": preprocess.resize_mode,
        },
    }


def _write_tokenizer_cfg(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """For a tokenizer that is not CLIP's: with any name open_clip reads it from the folder of a "local-dir:"."""
    if tokenizer["kind"] == "clip":
        return {"tokenizer_kwargs": {"clean": tokenizer["clean"]}} if "clean" in tokenizer else {}
    kwargs: dict[str, Any] = {"clean": split_for_open_clip(tokenizer["clean"])[0]}
    if tokenizer["strip_id"] is not None:
        kwargs["strip_sep_token"] = True
    return {"hf_tokenizer_name": "tokenizer.json", "tokenizer_kwargs": kwargs}
