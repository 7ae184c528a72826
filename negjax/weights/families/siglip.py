"""SigLIP and SigLIP 2 at one fixed size: open_clip's, whose image towers are timm's, and transformers' SiglipModel.

Source: timm 1.0.31 and open_clip_torch 3.3.0; transformers 5.23.0, SiglipConfig.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, ImageConfig, TextConfig, VisionConfig
from negjax.models.presets import PRESETS
from negjax.weights.families import hf_towers
from negjax.weights.families.family import HfSupport, OpenClipSupport, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    hf_tower_rows,
    linear_rows,
    norm_rows,
    open_clip_text_rows,
    projection_rows,
    row,
    scale_rows,
    timm_pool_rows,
    timm_vision_rows,
)
from negjax.weights.tensor_layouts import ONE, QKV, QUERY, SAME

_OPEN_CLIP_FORMAT = WeightFormat(
    name="open_clip_siglip",
    markers=("visual.trunk.attn_pool.latent",),
    rows=(
        *timm_vision_rows(),
        *timm_pool_rows(),
        *open_clip_text_rows("text."),
        *linear_rows("text/projection", "text.text_projection"),
        *scale_rows(),
    ),
    scale_keeps_shape=True,
)
_HF_FORMAT = WeightFormat(
    name="hf_siglip",
    markers=("vision_model.head.probe",),
    rows=(
        *hf_tower_rows(),
        row("visual/patch/bias", "vision_model.embeddings.patch_embedding.bias", SAME),
        row("visual/pool/query", "vision_model.head.probe", QUERY),
        *projection_rows("visual/pool/qkv", ("vision_model.head.attention.in_proj",), QKV, "_"),
        *linear_rows("visual/pool/out", "vision_model.head.attention.out_proj"),
        *norm_rows("visual/pool/norm", "vision_model.head.layernorm"),
        *linear_rows("visual/pool/up", "vision_model.head.mlp.fc1"),
        *linear_rows("visual/pool/down", "vision_model.head.mlp.fc2"),
        *linear_rows("text/projection", "text_model.head"),
        row("logit_scale", "logit_scale", ONE),
        row("logit_bias", "logit_bias", ONE),
    ),
)
_TIMM_SIZES = {768: "base", 1024: "large", 1152: "so400m", 1536: "giantopt"}
_TANH = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
_HF_VISION_DEFAULTS: dict[str, Any] = {
    **hf_towers.BASE_SIZES,
    "image_size": 224,
    "patch_size": 16,
    **_TANH,
    "vision_use_head": True,
}
_HF_TEXT_DEFAULTS: dict[str, Any] = {
    **hf_towers.BASE_SIZES,
    "vocab_size": 32000,
    "max_position_embeddings": 64,
    **_TANH,
    "projection_size": None,
}


def _timm_name(vision: VisionConfig) -> str:
    size = _TIMM_SIZES.get(vision.width, "")
    return f"vit_{size}_patch{vision.patch_size}_siglip_{vision.image_size}"


TIMM_TOWERS = {
    _timm_name(config.vision): config.vision
    for config in PRESETS.values()
    if config.family == "siglip" and isinstance(config.vision, VisionConfig)
}


def read_timm_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> VisionConfig:
    """The image tower of a vision_cfg that names timm's. Raises NegjaxError if it is not SigLIP's."""
    name = cfg["timm_model_name"]
    if name not in TIMM_TOWERS:
        raise NegjaxError(f"its image tower is timm's {name}, which is not supported")
    if cfg.get("timm_pool") != "map" or cfg.get("timm_proj") not in ("none", "", None):
        raise NegjaxError(
            f"its image tower is timm's {name} with timm_pool {cfg.get('timm_pool')!r} and timm_proj "
            f"{cfg.get('timm_proj')!r}: not supported"
        )
    tower = TIMM_TOWERS[name]
    return dataclasses.replace(tower, image_size=cfg.get("image_size", tower.image_size))


def write_timm_vision(vision: ImageConfig) -> dict[str, Any]:
    """The inverse, as the entries of model_cfg. Raises NegjaxError if timm has no such tower."""
    assert isinstance(vision, VisionConfig)
    name = _timm_name(vision)
    timm_tower = TIMM_TOWERS.get(name)
    if timm_tower is None:
        raise NegjaxError("open_clip takes SigLIP's image towers from timm, which has none of this size: use --to hf")
    if timm_tower != vision:
        raise NegjaxError(
            f"open_clip's tower for this size, timm's {name}, computes {timm_tower.activation}, this model "
            f"{vision.activation}: use --to hf, or accept the difference with --activation "
            f"{timm_tower.activation}/gelu_tanh (image/text)"
        )
    vision_cfg = {
        "image_size": vision.image_size,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    }
    return {"custom_text": True, "vision_cfg": vision_cfg}


def _read_hf_config(data: Mapping[str, Any]) -> CLIPConfig:
    vision = hf_towers.read_tower(data, "vision_config", _HF_VISION_DEFAULTS)
    text = hf_towers.read_tower(data, "text_config", _HF_TEXT_DEFAULTS)
    if not vision["vision_use_head"]:
        raise NegjaxError("its image tower has no pooling head: not supported")
    return CLIPConfig(
        "custom",
        text["projection_size"] or text["hidden_size"],
        VisionConfig(
            vision["image_size"],
            vision["patch_size"],
            *hf_towers.read_sizes(vision),
            class_token=False,
            patch_bias=True,
            norm_pre=False,
            pool="attention",
            projection=False,
        ),
        TextConfig(
            text["max_position_embeddings"],
            text["vocab_size"],
            *hf_towers.read_sizes(text),
            causal=False,
            pool="last",
            projection_bias=True,
        ),
        logit_scale_init=2.302585092994046,
        logit_bias_init=-10.0,
        family="siglip",
    )


def _fits_hf(config: CLIPConfig) -> bool:
    vision, text = config.vision, config.text
    text_fits = isinstance(text, TextConfig) and text.projection_bias and not text.causal and text.pool == "last"
    return text_fits and isinstance(vision, VisionConfig) and not vision.projection


def _write_hf_config(config: CLIPConfig) -> dict[str, Any]:
    return {
        "architectures": ["SiglipModel"],
        "model_type": "siglip",
        "torch_dtype": "float32",
        "text_config": {**hf_towers.write_text(config.text), "projection_size": config.embed_dim},
        "vision_config": hf_towers.write_vision(config.vision),
    }


SIGLIP_FAMILY = WeightFamily(
    name="siglip",
    models="open_clip's and transformers' SigLIPs",
    open_clip=OpenClipSupport(
        format=_OPEN_CLIP_FORMAT,
        matches=lambda model_cfg: bool(model_cfg["vision_cfg"].get("timm_model_name")),
        read_vision=read_timm_vision,
        write_vision=write_timm_vision,
        tokenizer_kwargs=lambda name: {"clean": "canonicalize"},
    ),
    hf=HfSupport(
        format=_HF_FORMAT,
        model_type="siglip",
        read_config=_read_hf_config,
        fits=_fits_hf,
        write_config=_write_hf_config,
        image_processor="SiglipImageProcessor",
        crops=False,
    ),
)
