"""OWL-ViT and OWLv2 in transformers: tensor names, config.json and image processor of OwlViTForObjectDetection and
Owlv2ForObjectDetection.

Source: transformers 5.24.0, OwlViTConfig, Owlv2Config and their modeling files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.detector import DetectorConfig, DetectorFamily
from negjax.weights.families import hf_towers
from negjax.weights.families.family import TableRow, WeightFormat
from negjax.weights.families.rows import hf_tower_rows, linear_rows, norm_rows, row
from negjax.weights.tensor_layouts import LINEAR, SAME, SCALAR


@dataclass(frozen=True)
class DetectorSupport:
    """How transformers has a family of detectors.

    Attributes:
        format: The names of the tensors.
        image_processor: The class that prepares the images.
        patch_size: Default of config.json.
    """

    format: WeightFormat
    image_processor: str
    patch_size: int


def _head_rows(path: str, name: str) -> list[TableRow]:
    layers = ("hidden1", "hidden2", "output")
    return [row for i, layer in enumerate(layers) for row in linear_rows(f"{path}/{layer}", f"{name}.dense{i}")]


def _clip_rows(name: str) -> list[TableRow]:
    """The towers: those of a CLIPModel within the detector, except for how a norm is spelled."""
    rows = [
        *hf_tower_rows(),
        row("visual/class_token", "vision_model.embeddings.class_embedding", SAME),
        *norm_rows("visual/norm_pre", "vision_model.pre_layernorm"),
        row("visual/projection/kernel", "visual_projection.weight", LINEAR),
        row("text/projection/kernel", "text_projection.weight", LINEAR),
        row("logit_scale", "logit_scale", SCALAR),
    ]
    return [
        TableRow(f"clip/{each.path}", tuple(f"{name}.{tensor}" for tensor in each.names), each.layout) for each in rows
    ]


def _format(name: DetectorFamily) -> WeightFormat:
    return WeightFormat(
        name=f"hf_{name}",
        markers=(f"{name}.visual_projection.weight", "class_head.dense0.weight"),
        rows=(
            *_clip_rows(name),
            *norm_rows("norm", "layer_norm"),
            *linear_rows("class_head/embedding", "class_head.dense0"),
            *linear_rows("class_head/shift", "class_head.logit_shift"),
            *linear_rows("class_head/scale", "class_head.logit_scale"),
            *_head_rows("box_head", "box_head"),
            *(_head_rows("objectness_head", "objectness_head") if name == "owlv2" else []),
        ),
        left_out=("box_bias",),  # follows from the grid; old files have it
    )


DETECTOR_SUPPORT: dict[DetectorFamily, DetectorSupport] = {
    "owlvit": DetectorSupport(_format("owlvit"), "OwlViTImageProcessor", 32),
    "owlv2": DetectorSupport(_format("owlv2"), "Owlv2ImageProcessor", 16),
}
_TOWER_DEFAULTS = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
_VISION_DEFAULTS: dict[str, Any] = {**hf_towers.BASE_SIZES, **_TOWER_DEFAULTS, "image_size": 768}
_TEXT_DEFAULTS: dict[str, Any] = {
    **_TOWER_DEFAULTS,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "vocab_size": 49408,
    "max_position_embeddings": 16,
}


def read_owl_config(data: Mapping[str, Any], family: DetectorFamily) -> DetectorConfig:
    """The architecture of a config.json of these models."""
    defaults = _VISION_DEFAULTS | {"patch_size": DETECTOR_SUPPORT[family].patch_size}
    vision = hf_towers.read_tower(data, "vision_config", defaults)
    text = hf_towers.read_tower(data, "text_config", _TEXT_DEFAULTS)
    clip = CLIPConfig(
        "custom",
        data.get("projection_dim", 512),
        VisionConfig(vision["image_size"], vision["patch_size"], *hf_towers.read_sizes(vision)),
        TextConfig(text["max_position_embeddings"], text["vocab_size"], *hf_towers.read_sizes(text)),
        logit_scale_init=data.get("logit_scale_init_value", 2.6592),
    )
    return DetectorConfig("custom", family, clip)
