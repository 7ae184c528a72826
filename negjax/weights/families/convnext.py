"""open_clip's CLIPs whose image towers are timm's ConvNeXts; other libraries do not have them.

Source: timm 1.0.31, convnext.py; open_clip_torch 3.3.0, TimmModel.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.models.architecture import ImageConfig
from negjax.models.convnets import ConvNeXtConfig
from negjax.models.timm_towers import CONVNEXTS
from negjax.weights.families.family import OpenClipSupport, TableRow, WeightFamily, WeightFormat
from negjax.weights.families.rows import linear_rows, norm_rows, open_clip_text_rows, row
from negjax.weights.tensor_layouts import CONV, LINEAR, SAME, SCALAR

_STAGES = (1, 2, 3, 4)


def _stage_rows(stage: int) -> list[TableRow]:
    path, name = f"visual/stage{stage}", f"visual.trunk.stages.{stage - 1}"
    block, timm_block = f"{path}/blocks/{{i}}", f"{name}.blocks.{{i}}"
    downsample = [
        *norm_rows(f"{path}/norm", f"{name}.downsample.0"),
        row(f"{path}/downsample/kernel", f"{name}.downsample.1.weight", CONV),
        row(f"{path}/downsample/bias", f"{name}.downsample.1.bias", SAME),
    ]
    return [
        *(downsample if stage > 1 else []),
        row(f"{block}/depthwise/kernel", f"{timm_block}.conv_dw.weight", CONV),
        row(f"{block}/depthwise/bias", f"{timm_block}.conv_dw.bias", SAME),
        *norm_rows(f"{block}/norm", f"{timm_block}.norm"),
        *linear_rows(f"{block}/up", f"{timm_block}.mlp.fc1"),
        *linear_rows(f"{block}/down", f"{timm_block}.mlp.fc2"),
        row(f"{block}/layer_scale", f"{timm_block}.gamma", SAME),
    ]


_FORMAT = WeightFormat(
    name="open_clip_convnext",
    markers=("visual.trunk.stem.0.weight",),
    rows=(
        row("visual/patch/kernel", "visual.trunk.stem.0.weight", CONV),
        row("visual/patch/bias", "visual.trunk.stem.0.bias", SAME),
        *norm_rows("visual/norm_patch", "visual.trunk.stem.1"),
        *(stage_row for stage in _STAGES for stage_row in _stage_rows(stage)),
        *norm_rows("visual/norm_post", "visual.trunk.head.norm"),
        row("visual/projection/kernel", "visual.head.proj.weight", LINEAR),
        *linear_rows("visual/projection/up", "visual.head.mlp.fc1"),
        row("visual/projection/down/kernel", "visual.head.mlp.fc2.weight", LINEAR),
        *open_clip_text_rows(""),
        row("text/projection/kernel", "text_projection", SAME),
        row("logit_scale", "logit_scale", SCALAR),
        row("logit_bias", "logit_bias", SCALAR),
    ),
    optional_prefix="text.",  # of a model with "custom_text"
    scale_keeps_shape=True,
)


def _read_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> ConvNeXtConfig:
    """The activation that model_cfg names is the text tower's alone."""
    name, projection = cfg["timm_model_name"], cfg.get("timm_proj", "linear")
    if name not in CONVNEXTS:
        raise NegjaxError(f"its image tower is timm's {name}; of timm's ConvNeXts {', '.join(CONVNEXTS)} are supported")
    if (
        cfg.get("timm_pool", "avg") not in ("", "avg")
        or projection not in ("linear", "mlp")
        or cfg.get("timm_proj_bias")
    ):
        raise NegjaxError(f"its image tower is timm's {name} with another head than open_clip's ConvNeXt models have")
    return dataclasses.replace(CONVNEXTS[name], image_size=cfg.get("image_size", 224), projection=projection)


def _write_vision(vision: ImageConfig) -> dict[str, Any]:
    assert isinstance(vision, ConvNeXtConfig)
    trunk = dataclasses.replace(vision, image_size=224, projection="linear")
    name = next((name for name, tower in CONVNEXTS.items() if tower == trunk), None)
    if name is None:
        raise NegjaxError("open_clip takes ConvNeXts from timm, which has none of this form")
    vision_cfg = {
        "image_size": vision.image_size,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": vision.projection,
    }
    return {"vision_cfg": vision_cfg}


CONVNEXT_FAMILY = WeightFamily(
    name="convnext",
    models="open_clip's CLIPs with ConvNeXts",
    open_clip=OpenClipSupport(
        format=_FORMAT,
        matches=lambda model_cfg: str(model_cfg["vision_cfg"].get("timm_model_name")).startswith("convnext_"),
        read_vision=_read_vision,
        write_vision=_write_vision,
    ),
)
