"""open_clip's model configs, in and out: `open_clip_config.json`, which its "local-dir:" reads.

Source: open_clip_torch 3.3.0, CLIPVisionCfg, CLIPTextCfg and PreprocessCfg; timm 1.0.31 for SigLIP's image towers.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, cast

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import Activation, CLIPConfig, TextConfig, VisionConfig, with_activation
from negjax.models.presets import PRESETS, QUICKGELU, preset

NAME = "open_clip_config.json"
_OUR_OWN = ("tiny", "small")  # presets that open_clip does not have
_IMAGE_POOL = {"tok": "token", "avg": "average"}
_SIZES = {768: "base", 1024: "large", 1152: "so400m", 1536: "giantopt"}
# Fields that change what a tower computes and that our towers do not have: only these values will do.
_PLAIN: dict[str, Any] = {
    "ls_init_value": None,
    "attentional_pool": False,
    "pos_embed_type": "learnable",
    "block_type": None,
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
    "embed_cls": False,
    "hf_model_name": None,
}


def _timm_name(vision: VisionConfig) -> str:
    size = _SIZES.get(vision.width, "")
    return f"vit_{size}_patch{vision.patch_size}_siglip_{vision.image_size}"


_TIMM = {_timm_name(each.vision): each.vision for each in PRESETS.values() if each.vision.pool == "attention"}


def read_config(text: str, where: str) -> tuple[CLIPConfig, Preprocess | None, dict[str, Any]]:
    """Architecture, preprocessing (None where it says nothing) and tokenizer arguments of an open_clip_config.json.

    text: the file's content; a bare model config will do. where: names it in errors. Raises NegjaxError for what is not
    one, and for a model that negjax does not have.
    """
    try:
        data = json.loads(text)
        model_cfg = data.get("model_cfg", data)
        config = from_model_cfg(model_cfg)
        preprocess = from_preprocess_cfg(data["preprocess_cfg"], config) if data.get("preprocess_cfg") else None
        return config, preprocess, dict(model_cfg["text_cfg"].get("tokenizer_kwargs") or {})
    except NegjaxError as error:
        raise NegjaxError(f"{where}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NegjaxError(f"{where} is not a model config of open_clip ({type(error).__name__}: {error})") from error


def from_model_cfg(model_cfg: Mapping[str, Any]) -> CLIPConfig:
    """The architecture of an open_clip model config, called by open_clip's name for it where there is one."""
    if unknown := {"multimodal_cfg", "audio_cfg"} & set(model_cfg):
        raise NegjaxError(f"a model with {', '.join(sorted(unknown))} is none of the CLIP and SigLIP models of negjax")
    vision, text = dict(model_cfg["vision_cfg"]), dict(model_cfg["text_cfg"])
    for what, tower in (("vision_cfg", vision), ("text_cfg", text)):
        for key, plain in _PLAIN.items():
            if tower.get(key, plain) != plain:
                raise NegjaxError(f"{what}.{key} is {tower[key]!r}: only plain transformer towers are supported")
    quick = bool(model_cfg.get("quick_gelu", False))
    bias = model_cfg.get("init_logit_bias")
    config = CLIPConfig(
        "custom",
        model_cfg["embed_dim"],
        _timm_tower(vision) if vision.get("timm_model_name") else _vision(vision, quick),
        _text(text, quick),
        logit_scale_init=model_cfg.get("init_logit_scale", math.log(1 / 0.07 if bias is None else 10)),
        logit_bias_init=None if bias is None else float(bias),
    )
    return named(config)


def known_name(config: CLIPConfig) -> str | None:
    """open_clip's name for an architecture, whatever it is called here; None where it has none."""
    wanted = _anonymous(config)
    for base, shape in PRESETS.items():
        names = (base, base + QUICKGELU) if shape.vision.pool == "token" else (base,)
        found = next((name for name in names if _anonymous(preset(name)) == wanted), None)
        if found and base not in _OUR_OWN:
            return found
    return None


def named(config: CLIPConfig) -> CLIPConfig:
    """The same architecture under open_clip's name: for this activation, else for another, else "custom"."""
    others = (with_activation(config, preset.activation) for preset in PRESETS.values())
    name = known_name(config) or next(filter(None, map(known_name, dict.fromkeys(others))), "custom")
    return dataclasses.replace(config, name=name)


def _anonymous(config: CLIPConfig) -> CLIPConfig:
    """Without what does not change an embedding."""
    return dataclasses.replace(config, name="", logit_scale_init=0.0, logit_bias_init=None)


def _vision(cfg: Mapping[str, Any], quick: bool) -> VisionConfig:
    width, pool = cfg.get("width", 768), cfg.get("pool_type", "tok")
    layers, image_size = cfg.get("layers", 12), cfg.get("image_size", 224)
    if not isinstance(layers, int):
        raise NegjaxError("its image tower is a ResNet: only vision transformers are supported")
    if pool not in _IMAGE_POOL or not isinstance(image_size, int):
        raise NegjaxError(f"its image tower has pool_type {pool!r} and image_size {image_size!r}: not supported")
    return VisionConfig(
        image_size,
        cfg.get("patch_size", 16),
        width,
        layers,
        width // cfg.get("head_width", 64),
        int(width * cfg.get("mlp_ratio", 4.0)),
        _activation(cfg, quick),
        layer_norm_eps=(cfg.get("norm_kwargs") or {}).get("eps", 1e-5),
        norm_pre=not cfg.get("no_ln_pre", False),
        pool=cast(Any, _IMAGE_POOL[pool]),
        norm_after_pool=bool(cfg.get("final_ln_after_pool", False)),
    )


def _timm_tower(cfg: Mapping[str, Any]) -> VisionConfig:
    name = cfg["timm_model_name"]
    if name not in _TIMM or cfg.get("timm_pool") != "map" or cfg.get("timm_proj") not in ("none", "", None):
        raise NegjaxError(f"its image tower is timm's {name}: of timm's only SigLIP's are supported")
    return dataclasses.replace(_TIMM[name], image_size=cfg.get("image_size", _TIMM[name].image_size))


def _text(cfg: Mapping[str, Any], quick: bool) -> TextConfig:
    width, pool = cfg.get("width", 512), cfg.get("pool_type", "argmax")
    projection = cfg.get("proj_type", "linear") != "none"
    return TextConfig(
        cfg.get("context_length", 77),
        cfg.get("vocab_size", 49408),
        width,
        cfg.get("layers", 12),
        cfg.get("heads", 8),
        int(width * cfg.get("mlp_ratio", 4.0)),
        _activation(cfg, quick),
        layer_norm_eps=(cfg.get("norm_kwargs") or {}).get("eps", 1e-5),
        causal=not cfg.get("no_causal_mask", False),
        pool=pool,
        end_token=cfg.get("eos_id", 2) if pool == "eos" else 0,
        projection=projection,
        projection_bias=projection and bool(cfg.get("proj_bias", False)),
    )


def _activation(cfg: Mapping[str, Any], quick: bool) -> Activation:
    how = (cfg.get("act_kwargs") or {}).get("approximate", "none")
    return "quick_gelu" if quick else "gelu_tanh" if how == "tanh" else "gelu"


def from_preprocess_cfg(cfg: Mapping[str, Any], config: CLIPConfig) -> Preprocess:
    """open_clip's preprocessing at the size of the architecture."""
    usual = Preprocess()
    return Preprocess(
        config.vision.image_size,
        tuple(cfg.get("mean") or usual.mean),
        tuple(cfg.get("std") or usual.std),
        cfg.get("interpolation") or usual.interpolation,
        cfg.get("resize_mode") or usual.resize_mode,
    )


def write_config(config: CLIPConfig, preprocess: Preprocess, tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """The content of open_clip_config.json. tokenizer: `to_dict()` of the model's tokenizer.

    Raises NegjaxError for what open_clip cannot compute in the same way.
    """
    vision, text = config.vision, config.text
    quick = vision.activation == text.activation == "quick_gelu"
    if "quick_gelu" in (vision.activation, text.activation) and not quick:
        raise NegjaxError(f"open_clip has one activation for both towers, this model {config.activation}")
    model_cfg: dict[str, Any] = {"embed_dim": config.embed_dim, "quick_gelu": quick}
    if config.logit_bias_init is not None:
        model_cfg["init_logit_bias"] = config.logit_bias_init
    if vision.pool == "attention":
        model_cfg["custom_text"] = True
        model_cfg["vision_cfg"] = _timm_cfg(vision)
    else:
        model_cfg["vision_cfg"] = {
            "image_size": vision.image_size,
            "layers": vision.depth,
            "width": vision.width,
            "head_width": vision.width // vision.heads,
            "patch_size": vision.patch_size,
            "mlp_ratio": _ratio(vision),
            "no_ln_pre": not vision.norm_pre,
            "pool_type": {ours: theirs for theirs, ours in _IMAGE_POOL.items()}[vision.pool],
            "final_ln_after_pool": vision.norm_after_pool,
            **_variants(vision),
        }
    model_cfg["text_cfg"] = {
        "context_length": text.context_length,
        "vocab_size": text.vocab_size,
        "width": text.width,
        "heads": text.heads,
        "layers": text.depth,
        "mlp_ratio": _ratio(text),
        "no_causal_mask": not text.causal,
        "pool_type": text.pool,
        "proj_type": "linear" if text.projection else "none",
        "proj_bias": text.projection_bias,
        **({"eos_id": text.end_token} if text.pool == "eos" else {}),
        **_variants(text),
        **_tokenizer_cfg(tokenizer),
    }
    return {
        "model_cfg": model_cfg,
        "preprocess_cfg": {
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "interpolation": preprocess.interpolation,
            "resize_mode": preprocess.resize_mode,
        },
    }


def _timm_cfg(vision: VisionConfig) -> dict[str, Any]:
    name = _timm_name(vision)
    there = _TIMM.get(name)
    if there is None:
        raise NegjaxError("open_clip takes SigLIP's image towers from timm, which has none of this size: use --to hf")
    if there != vision:
        raise NegjaxError(
            f"open_clip's tower for this size, timm's {name}, computes {there.activation}, this model "
            f"{vision.activation}: use --to hf, or accept the difference with --activation "
            f"{there.activation}/gelu_tanh (image/text)"
        )
    return {
        "image_size": vision.image_size,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    }


def _ratio(tower: VisionConfig | TextConfig) -> float:
    """A factor with int(width * factor) == mlp_width, as open_clip computes it."""
    ratio = tower.mlp_width / tower.width
    return ratio if int(tower.width * ratio) == tower.mlp_width else (tower.mlp_width + 0.25) / tower.width


def _variants(tower: VisionConfig | TextConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if tower.activation == "gelu_tanh":
        found["act_kwargs"] = {"approximate": "tanh"}
    if tower.layer_norm_eps != 1e-5:
        found["norm_kwargs"] = {"eps": tower.layer_norm_eps}
    return found


def _tokenizer_cfg(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """For a tokenizer that is not CLIP's: with any name open_clip reads it from the folder of a "local-dir:"."""
    if tokenizer["kind"] == "clip":
        return {}
    kwargs = {"clean": tokenizer["clean"]} | ({"strip_sep_token": True} if tokenizer["strip_id"] is not None else {})
    return {"hf_tokenizer_name": "tokenizer.json", "tokenizer_kwargs": kwargs}
