"""CLIP with OpenAI's ResNets, OpenAI's and open_clip's; other libraries do not have it.

The counters of batches that PyTorch's batch norms keep are no weights, are not read, and are not written.
"""

from collections.abc import Mapping
from typing import Any

from negjax.models.architecture import ImageConfig
from negjax.models.convnets import ResNetConfig
from negjax.weights.families.family import OpenClipSupport, TableRow, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    batch_norm_rows,
    linear_rows,
    open_clip_text_rows,
    projection_rows,
    row,
)
from negjax.weights.tensor_layouts import CONV, POINTWISE, QKV_APART, SAME, SCALAR

_HEAD_WIDTH = 64
_STAGES = (1, 2, 3, 4)


def _stem_rows() -> list[TableRow]:
    rows = []
    for i in (1, 2, 3):
        rows.append(row(f"visual/stem/conv{i}/kernel", f"visual.conv{i}.weight", CONV))
        rows += batch_norm_rows(f"visual/stem/norm{i}", f"visual.bn{i}")
    return rows


def _stage_rows(stage: int) -> list[TableRow]:
    path, name = f"visual/stage{stage}/blocks/{{i}}", f"visual.layer{stage}.{{i}}"
    rows = [
        row(f"{path}/conv1/kernel", f"{name}.conv1.weight", POINTWISE),
        row(f"{path}/conv2/kernel", f"{name}.conv2.weight", CONV),
        row(f"{path}/conv3/kernel", f"{name}.conv3.weight", POINTWISE),
        row(f"{path}/downsample/kernel", f"{name}.downsample.0.weight", POINTWISE),
        *batch_norm_rows(f"{path}/norm_downsample", f"{name}.downsample.1"),
    ]
    for i in (1, 2, 3):
        rows += batch_norm_rows(f"{path}/norm{i}", f"{name}.bn{i}")
    return rows


_FORMAT = WeightFormat(
    name="open_clip_resnet",
    markers=("visual.attnpool.positional_embedding",),
    rows=(
        *_stem_rows(),
        *(stage_row for stage in _STAGES for stage_row in _stage_rows(stage)),
        row("visual/positions", "visual.attnpool.positional_embedding", SAME),
        *projection_rows("visual/pool/qkv", tuple(f"visual.attnpool.{x}_proj" for x in "qkv"), QKV_APART),
        *linear_rows("visual/pool/out", "visual.attnpool.c_proj"),
        *open_clip_text_rows(""),
        row("text/projection/kernel", "text_projection", SAME),
        row("logit_scale", "logit_scale", SCALAR),
        row("logit_bias", "logit_bias", SCALAR),
    ),
    optional_prefix="text.",  # of a model with "custom_text"
    scale_keeps_shape=True,
)


def _read_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> ResNetConfig:
    """The activation that model_cfg names is the text tower's alone."""
    width = cfg.get("width", 768)
    heads = 32 * width // cfg.get("head_width", _HEAD_WIDTH)
    return ResNetConfig(cfg.get("image_size", 224), width, tuple(cfg["layers"]), heads)


def _write_vision(vision: ImageConfig) -> dict[str, Any]:
    assert isinstance(vision, ResNetConfig)
    vision_cfg = {
        "image_size": vision.image_size,
        "layers": list(vision.depths),
        "width": vision.width,
        "head_width": vision.final_width // vision.heads,
        "patch_size": None,
    }
    return {"vision_cfg": vision_cfg}


RESNET_FAMILY = WeightFamily(
    name="resnet",
    models="OpenAI's and open_clip's CLIPs with ResNets",
    open_clip=OpenClipSupport(
        format=_FORMAT,
        matches=lambda model_cfg: isinstance(model_cfg["vision_cfg"].get("layers"), list),
        read_vision=_read_vision,
        write_vision=_write_vision,
    ),
)
