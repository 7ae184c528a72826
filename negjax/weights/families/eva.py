"""EVA-CLIP (Sun et al. 2023) in open_clip, whose image towers are timm's; other libraries do not have it.

EVA-02's B and L keep queries, keys and values apart and gate their perceptrons; the others (EVA-01's g, EVA-02's E) do
not. Source: timm 1.0.31, eva.py; open_clip_torch 3.3.0, TimmModel.
"""

from collections.abc import Mapping
from typing import Any

from negjax.models.timm_towers import EVAS
from negjax.weights.families.family import OpenClipSupport, TableRow, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    linear_rows,
    norm_rows,
    open_clip_text_rows,
    row,
    scale_rows,
    timm_common_rows,
)
from negjax.weights.families.timm_named import TimmTowers
from negjax.weights.tensor_layouts import CONV, KV_APART, QKV, QKV_APART, QUERY, SAME

_PATH, _NAME = "visual/transformer/blocks/{i}", "visual.trunk.blocks.{i}"
_BIAS = f"{_PATH}/attention/qkv/bias"  # of queries and values


def _common_rows() -> list[TableRow]:
    return [
        *timm_common_rows(),
        row("visual/patch/kernel", "visual.trunk.patch_embed.proj.weight", CONV),
        row("visual/patch/bias", "visual.trunk.patch_embed.proj.bias", SAME),
        row("visual/class_token", "visual.trunk.cls_token", QUERY),
        *linear_rows("visual/projection", "visual.trunk.head"),
        *open_clip_text_rows("text."),
        row("text/projection/kernel", "text.text_projection", SAME),
        *scale_rows(),
    ]


_EVA_FORMAT = WeightFormat(
    name="open_clip_eva",
    markers=("visual.trunk.blocks.0.attn.q_bias", "visual.trunk.head.weight"),
    rows=(
        *_common_rows(),
        row(f"{_PATH}/attention/qkv/kernel", f"{_NAME}.attn.qkv.weight", QKV),
        TableRow(_BIAS, (f"{_NAME}.attn.q_bias", f"{_NAME}.attn.v_bias"), KV_APART),
        *linear_rows(f"{_PATH}/up", f"{_NAME}.mlp.fc1"),
    ),
    scale_keeps_shape=True,
)
_EVA02_FORMAT = WeightFormat(
    name="open_clip_eva02",
    markers=("visual.trunk.blocks.0.attn.q_proj.weight", "visual.trunk.blocks.0.mlp.fc1_g.weight"),
    rows=(
        *_common_rows(),
        TableRow(f"{_PATH}/attention/qkv/kernel", tuple(f"{_NAME}.attn.{x}_proj.weight" for x in "qkv"), QKV_APART),
        TableRow(_BIAS, tuple(f"{_NAME}.attn.{x}_proj.bias" for x in "qv"), KV_APART),
        *norm_rows(f"{_PATH}/attention/norm", f"{_NAME}.attn.norm"),
        *linear_rows(f"{_PATH}/gate", f"{_NAME}.mlp.fc1_g"),
        *linear_rows(f"{_PATH}/up", f"{_NAME}.mlp.fc1_x"),
        *norm_rows(f"{_PATH}/norm_hidden", f"{_NAME}.mlp.norm"),
    ),
    scale_keeps_shape=True,
)
_TOWERS = TimmTowers("EVAs", EVAS, "token")


def _has_eva(model_cfg: Mapping[str, Any]) -> bool:
    return str(model_cfg["vision_cfg"].get("timm_model_name")).startswith("eva")


def _has_eva02(model_cfg: Mapping[str, Any]) -> bool:
    tower = EVAS.get(str(model_cfg["vision_cfg"].get("timm_model_name")))
    return tower is not None and tower.block == "sub_norm"


EVA02_FAMILY = WeightFamily(
    name="eva02",
    models="open_clip's EVA-02-CLIPs",
    open_clip=OpenClipSupport(
        format=_EVA02_FORMAT, matches=_has_eva02, read_vision=_TOWERS.read, write_vision=_TOWERS.write
    ),
)
EVA_FAMILY = WeightFamily(
    name="eva",
    models="open_clip's EVA-CLIPs",
    open_clip=OpenClipSupport(
        format=_EVA_FORMAT, matches=_has_eva, read_vision=_TOWERS.read, write_vision=_TOWERS.write
    ),
)
