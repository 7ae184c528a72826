"""Apple's MobileCLIPs whose image towers are vision transformers (Vasu et al. 2024), in open_clip and thus in timm.

Those of MobileCLIP-B and MobileCLIP2-B have a stem of convolutions, that of MobileCLIP2-L-14 is CLIP's. The S models,
whose image towers are timm's FastViTs, are not supported. Source: timm 1.0.31, vision_transformer_hybrid.py and
vision_transformer.py.
"""

from collections.abc import Mapping
from typing import Any

from negjax.models.timm_towers import CLIP_VITS, HYBRIDS
from negjax.weights.families.family import OpenClipSupport, TableRow, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    batch_norm_rows,
    linear_rows,
    norm_rows,
    open_clip_text_rows,
    row,
    scale_rows,
    timm_block_rows,
    timm_unbiased_vision_rows,
)
from negjax.weights.families.timm_named import TimmTowers
from negjax.weights.tensor_layouts import CONV, QUERY, SAME

_STEM = "visual.trunk.patch_embed.backbone"


def _common_rows() -> list[TableRow]:
    return [
        row("visual/class_token", "visual.trunk.cls_token", QUERY),
        *linear_rows("visual/projection", "visual.trunk.head"),
        *open_clip_text_rows("text."),
        row("text/projection/kernel", "text.text_projection", SAME),
        *scale_rows(),
    ]


_HYBRID_FORMAT = WeightFormat(
    name="open_clip_mobileclip",
    markers=(f"{_STEM}.0.conv.weight",),
    rows=(
        row("visual/stem/conv1/kernel", f"{_STEM}.0.conv.weight", CONV),
        *batch_norm_rows("visual/stem/norm1", f"{_STEM}.0.bn"),
        row("visual/stem/conv2/kernel", f"{_STEM}.1.conv.weight", CONV),
        *batch_norm_rows("visual/stem/norm2", f"{_STEM}.1.bn"),
        row("visual/patch/kernel", f"{_STEM}.2.conv.weight", CONV),
        row("visual/patch/bias", f"{_STEM}.2.conv.bias", SAME),
        *timm_block_rows(),
        *_common_rows(),
    ),
    scale_keeps_shape=True,
)
_CLIP_VIT_FORMAT = WeightFormat(
    name="open_clip_timm_clip",
    markers=("visual.trunk.norm_pre.weight", "visual.trunk.cls_token", "visual.trunk.head.weight"),
    rows=(
        *timm_unbiased_vision_rows(),
        *norm_rows("visual/norm_pre", "visual.trunk.norm_pre"),
        *_common_rows(),
    ),
    scale_keeps_shape=True,
)
_HYBRIDS = TimmTowers("hybrid vision transformers", HYBRIDS, "token")
_CLIP_VITS = TimmTowers("CLIP vision transformers", CLIP_VITS, "token")


def _has_tower(model_cfg: Mapping[str, Any], towers: TimmTowers) -> bool:
    return model_cfg["vision_cfg"].get("timm_model_name") in towers.towers


MOBILECLIP_FAMILY = WeightFamily(
    name="mobileclip",
    models="open_clip's MobileCLIP-B and MobileCLIP2-B",
    open_clip=OpenClipSupport(
        format=_HYBRID_FORMAT,
        matches=lambda model_cfg: _has_tower(model_cfg, _HYBRIDS),
        read_vision=_HYBRIDS.read,
        write_vision=_HYBRIDS.write,
    ),
)
TIMM_CLIP_FAMILY = WeightFamily(
    name="timm_clip",
    models="MobileCLIP2-L-14",
    open_clip=OpenClipSupport(
        format=_CLIP_VIT_FORMAT,
        matches=lambda model_cfg: _has_tower(model_cfg, _CLIP_VITS),
        read_vision=_CLIP_VITS.read,
        write_vision=_CLIP_VITS.write,
    ),
)
