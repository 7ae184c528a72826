"""Meta's PE-Core (Bolya et al. 2025) in open_clip, whose image towers are timm's; other libraries do not have it.

Source: timm 1.0.31, eva.py; open_clip_torch 3.3.0, TimmModel.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.models.architecture import ImageConfig, VisionConfig
from negjax.models.timm_towers import PERCEPTION_ENCODERS
from negjax.weights.families.family import OpenClipSupport, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    linear_rows,
    norm_rows,
    open_clip_text_rows,
    row,
    scale_rows,
    timm_pool_rows,
    timm_unbiased_vision_rows,
)
from negjax.weights.tensor_layouts import QUERY, SAME

_FORMAT = WeightFormat(
    name="open_clip_pe_core",
    markers=("visual.trunk.attn_pool.latent", "visual.trunk.norm_pre.weight"),
    rows=(
        *timm_unbiased_vision_rows(),
        row("visual/class_token", "visual.trunk.cls_token", QUERY),
        *norm_rows("visual/norm_pre", "visual.trunk.norm_pre"),
        *timm_pool_rows(),
        *linear_rows("visual/projection", "visual.trunk.head"),
        *open_clip_text_rows("text."),
        row("text/projection/kernel", "text.text_projection", SAME),
        *scale_rows(),
    ),
    scale_keeps_shape=True,
)


def _read_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> VisionConfig:
    """The activation that model_cfg names is the text tower's alone."""
    name = cfg["timm_model_name"]
    if name not in PERCEPTION_ENCODERS or cfg.get("timm_pool") != "map" or cfg.get("timm_proj"):
        raise NegjaxError(
            f"its image tower is timm's {name} with timm_pool {cfg.get('timm_pool')!r} and timm_proj "
            f"{cfg.get('timm_proj')!r}; of Perception Encoders those of PE-Core are supported, with 'map' and None"
        )
    tower = PERCEPTION_ENCODERS[name]
    return dataclasses.replace(tower, image_size=cfg.get("image_size", tower.image_size))


def _write_vision(vision: ImageConfig) -> dict[str, Any]:
    assert isinstance(vision, VisionConfig)
    name = next((name for name, tower in PERCEPTION_ENCODERS.items() if tower == vision), None)
    if name is None:
        raise NegjaxError(
            "open_clip takes Perception Encoders from timm, which has none of these sizes for images of "
            f"{vision.image_size} pixels with {vision.activation}: use --to negjax"
        )
    vision_cfg = {
        "image_size": vision.image_size,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": None,
    }
    return {"custom_text": True, "vision_cfg": vision_cfg}


PE_CORE_FAMILY = WeightFamily(
    name="pe_core",
    models="open_clip's PE-Cores",
    open_clip=OpenClipSupport(
        format=_FORMAT,
        matches=lambda model_cfg: str(model_cfg["vision_cfg"].get("timm_model_name")).startswith("vit_pe_"),
        read_vision=_read_vision,
        write_vision=_write_vision,
    ),
)
