"""The towers of CoCas (Yu et al. 2022), open_clip's and CONCH (Lu et al. 2024), without the decoder of captions.

open_clip's go back as a model of open_clip with the same two towers; CONCH's own code alone has its image tower.
"""

from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.models.architecture import ImageConfig
from negjax.weights.families import open_clip_towers
from negjax.weights.families.family import OpenClipSupport, TableRow, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    open_clip_patch_rows,
    open_clip_pool_rows,
    open_clip_text_rows,
    row,
    timm_vision_rows,
)
from negjax.weights.tensor_layouts import QUERY, SAME, SCALAR

_DECODER = "text_decoder."


def _text_rows() -> list[TableRow]:
    return [
        *open_clip_text_rows("text."),
        row("text/class_token", "text.cls_emb", SAME),
        row("text/projection/kernel", "text.text_projection", SAME),
        row("logit_scale", "logit_scale", SCALAR),
    ]


_COCA_FORMAT = WeightFormat(
    name="open_clip_coca",
    markers=("visual.attn_pool.query",),
    rows=(
        *open_clip_patch_rows(),
        *open_clip_pool_rows("visual.attn_pool", "visual.ln_post", "visual.proj"),
        *_text_rows(),
        row("logit_bias", "logit_bias", SCALAR),
    ),
    scale_keeps_shape=True,
    left_out=(_DECODER,),
)
_CONCH_FORMAT = WeightFormat(
    name="conch",
    markers=("visual.attn_pool_contrast.query",),
    rows=(
        *timm_vision_rows(),
        row("visual/class_token", "visual.trunk.cls_token", QUERY),
        *open_clip_pool_rows("visual.attn_pool_contrast", "visual.ln_contrast", "visual.proj_contrast"),
        *_text_rows(),
    ),
    left_out=(_DECODER, "visual.attn_pool_caption.", "visual.ln_caption."),
)


def _read_conch_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> ImageConfig:
    raise NegjaxError("this is CONCH's own config, which is not read: give --arch conch_ViT-B-16")


def _write_conch_vision(vision: ImageConfig) -> dict[str, Any]:
    raise NegjaxError("open_clip has no image tower like CONCH's: only --to negjax is possible")


COCA_FAMILY = WeightFamily(
    name="coca",
    models="the towers of open_clip's CoCas",
    open_clip=OpenClipSupport(
        format=_COCA_FORMAT,
        matches=lambda model_cfg: bool(model_cfg["vision_cfg"].get("attentional_pool")),
        read_vision=open_clip_towers.read_vision,
        write_vision=open_clip_towers.write_vision,
        complete=False,
    ),
)
CONCH_FAMILY = WeightFamily(
    name="conch",
    models="those of CONCH",
    open_clip=OpenClipSupport(
        format=_CONCH_FORMAT,
        matches=lambda model_cfg: "embed_dim_caption" in model_cfg,
        read_vision=_read_conch_vision,
        write_vision=_write_conch_vision,
        complete=False,
        tokenizer_kwargs=lambda name: None,
    ),
)
