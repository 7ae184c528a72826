"""Meta's PE-Core (Bolya et al. 2025) in open_clip, whose image towers are timm's; other libraries do not have it.

Source: timm 1.0.31, eva.py; open_clip_torch 3.3.0, TimmModel.
"""

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
from negjax.weights.families.timm_named import TimmTowers
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
_TOWERS = TimmTowers("Perception Encoders", PERCEPTION_ENCODERS, "map")

PE_CORE_FAMILY = WeightFamily(
    name="pe_core",
    models="open_clip's PE-Cores",
    open_clip=OpenClipSupport(
        format=_FORMAT,
        matches=lambda model_cfg: str(model_cfg["vision_cfg"].get("timm_model_name")).startswith("vit_pe_"),
        read_vision=_TOWERS.read,
        write_vision=_TOWERS.write,
    ),
)
