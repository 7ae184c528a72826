"""NLLB-CLIP: open_clip's models whose text tower is the encoder of NLLB; other libraries do not have them.

The image tower is open_clip's (nllb-clip-base, nllb-clip-large) or timm's of SigLIP (nllb-clip-base-siglip,
nllb-clip-large-siglip).
"""

from collections.abc import Mapping
from typing import Any

from negjax.weights.families import encoders, open_clip_towers, siglip
from negjax.weights.families.family import OpenClipSupport, WeightFamily, WeightFormat
from negjax.weights.families.m2m100 import M2M100_TYPE, m2m100_rows
from negjax.weights.families.rows import (
    open_clip_encoder_head_rows,
    open_clip_vision_rows,
    scale_rows,
    timm_pool_rows,
    timm_vision_rows,
)

_TOKENS = "text.transformer.embed_tokens.weight"
_TEXT_ROWS = (*m2m100_rows("text.transformer."), *open_clip_encoder_head_rows())
_FORMAT = WeightFormat(
    name="open_clip_nllb",
    markers=("visual.conv1.weight", _TOKENS),
    rows=(*open_clip_vision_rows(), *_TEXT_ROWS, *scale_rows()),
    scale_keeps_shape=True,
)
_SIGLIP_FORMAT = WeightFormat(
    name="open_clip_nllb_siglip",
    markers=("visual.trunk.attn_pool.latent", _TOKENS),
    rows=(*timm_vision_rows(), *timm_pool_rows(), *_TEXT_ROWS, *scale_rows()),
    scale_keeps_shape=True,
)


def _has_nllb(model_cfg: Mapping[str, Any]) -> bool:
    return model_cfg["text_cfg"].get(encoders.MODEL_TYPE_KEY) == M2M100_TYPE


NLLB_FAMILY = WeightFamily(
    name="nllb",
    models="NLLB-CLIP",
    open_clip=OpenClipSupport(
        format=_FORMAT,
        matches=_has_nllb,
        read_vision=open_clip_towers.read_vision,
        write_vision=open_clip_towers.write_vision,
        read_text=encoders.read_text,
        write_text=encoders.write_text,
    ),
)
NLLB_SIGLIP_FAMILY = WeightFamily(
    name="nllb_siglip",
    models="NLLB-CLIP with SigLIP's image tower",
    open_clip=OpenClipSupport(
        format=_SIGLIP_FORMAT,
        matches=lambda model_cfg: _has_nllb(model_cfg) and bool(model_cfg["vision_cfg"].get("timm_model_name")),
        read_vision=siglip.read_timm_vision,
        write_vision=siglip.write_timm_vision,
        read_text=encoders.read_text,
        write_text=encoders.write_text,
    ),
)
