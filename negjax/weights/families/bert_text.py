"""open_clip's models with a BERT or RoBERTa for a text tower; other libraries do not have them.

The image tower is open_clip's (roberta-ViT-B-32, xlm-roberta-large-ViT-H-14) or timm's (BiomedCLIP).
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from negjax.errors import NegjaxError
from negjax.models.architecture import ImageConfig, ImagePool, VisionConfig
from negjax.weights.families import encoders, open_clip_towers
from negjax.weights.families.bert import bert_rows
from negjax.weights.families.family import OpenClipSupport, TableRow, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    linear_rows,
    open_clip_encoder_head_rows,
    open_clip_vision_rows,
    row,
    scale_rows,
    timm_vision_rows,
)
from negjax.weights.tensor_layouts import LINEAR, QUERY

_TOKENS = "text.transformer.embeddings.word_embeddings.weight"
_TIMM_SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
_TIMM_NAME = re.compile(rf"vit_({'|'.join(_TIMM_SIZES)})_patch(\d+)_(\d+)(\..*)?")
_IMAGE_POOL_OF_TIMM_POOL = {"": "token", "token": "token", "avg": "average"}
_TIMM_POOL = {"token": "token", "average": "avg"}


def _text_rows() -> list[TableRow]:
    return [
        *bert_rows("text.transformer."),
        *linear_rows("text/pooler", "text.transformer.pooler.dense"),
        *open_clip_encoder_head_rows(),
    ]


_CLIP_FORMAT = WeightFormat(
    name="open_clip_bert",
    markers=("visual.conv1.weight", _TOKENS),
    rows=(*open_clip_vision_rows(), *_text_rows(), *scale_rows()),
    scale_keeps_shape=True,
)
_TIMM_FORMAT = WeightFormat(
    name="open_clip_timm_bert",
    markers=("visual.trunk.cls_token", _TOKENS),
    rows=(
        *timm_vision_rows(),
        row("visual/class_token", "visual.trunk.cls_token", QUERY),
        row("visual/projection/kernel", "visual.head.proj.weight", LINEAR),
        *_text_rows(),
        *scale_rows(),
    ),
    scale_keeps_shape=True,
)


def _read_timm_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> VisionConfig:
    name = str(cfg["timm_model_name"])
    match, pool, projection = _TIMM_NAME.fullmatch(name), cfg.get("timm_pool", "avg"), cfg.get("timm_proj", "linear")
    if not match or pool not in _IMAGE_POOL_OF_TIMM_POOL or projection != "linear" or cfg.get("timm_proj_bias"):
        raise NegjaxError(
            f"its image tower is timm's {name} with timm_pool {pool!r} and timm_proj {projection!r}: beside a BERT "
            "only plain vision transformers with a linear projection are supported"
        )
    width, depth, heads = _TIMM_SIZES[match[1]]
    return VisionConfig(
        cfg.get("image_size", int(match[3])),
        int(match[2]),
        width,
        depth,
        heads,
        4 * width,
        "gelu",
        layer_norm_eps=1e-6,
        patch_bias=True,
        norm_pre=False,
        pool=cast(ImagePool, _IMAGE_POOL_OF_TIMM_POOL[pool]),
    )


def _write_timm_vision(vision: ImageConfig) -> dict[str, Any]:
    assert isinstance(vision, VisionConfig)
    size = next((size for size, sizes in _TIMM_SIZES.items() if sizes[0] == vision.width), "")
    vision_cfg = {
        "timm_model_name": f"vit_{size}_patch{vision.patch_size}_{vision.image_size}",
        "timm_model_pretrained": False,
        "timm_pool": _TIMM_POOL[vision.pool],
        "timm_proj": "linear",
        "image_size": vision.image_size,
    }
    if not size or _read_timm_vision(vision_cfg, False) != vision:
        raise NegjaxError("open_clip takes this image tower from timm, which has none of this form: use --to negjax")
    return {"custom_text": True, "vision_cfg": vision_cfg}


def _has_encoder(model_cfg: Mapping[str, Any]) -> bool:
    return bool(model_cfg["text_cfg"].get("hf_model_name"))


CLIP_BERT_FAMILY = WeightFamily(
    name="clip_bert",
    models="open_clip's with a BERT or RoBERTa",
    open_clip=OpenClipSupport(
        format=_CLIP_FORMAT,
        matches=_has_encoder,
        read_vision=open_clip_towers.read_vision,
        write_vision=open_clip_towers.write_vision,
        read_text=encoders.read_text,
        write_text=encoders.write_text,
    ),
)
TIMM_BERT_FAMILY = WeightFamily(
    name="timm_bert",
    models="BiomedCLIP",
    open_clip=OpenClipSupport(
        format=_TIMM_FORMAT,
        matches=lambda model_cfg: _has_encoder(model_cfg) and bool(model_cfg["vision_cfg"].get("timm_model_name")),
        read_vision=_read_timm_vision,
        write_vision=_write_timm_vision,
        read_text=encoders.read_text,
        write_text=encoders.write_text,
    ),
)
