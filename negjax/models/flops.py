"""How many floating-point operations the towers take, counted from the architecture: two for each multiply and add.

The matrix products of Chowdhery et al. 2022 (appendix B), attention included; norms, softmax and activations are not
counted, as is the custom for "model FLOPs".
"""

import math
from collections.abc import Mapping
from typing import Any

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig


def forward_flops(config: CLIPConfig, inputs: Mapping[tuple[str, str], Any]) -> dict[str, int]:
    """Operations of a forward pass of each tower over all its inputs.

    Args:
        config: The architecture.
        inputs: (source, kind) -> array or shape, as `negjax.training.encode.encoder_inputs` gives them: "image"
            [B, ...]; "text", "negative_text" and "options" are tokens [..., T].

    Returns:
        {"visual": operations, "text": operations}.
    """
    flops = {"visual": 0, "text": 0}
    for (_, kind), x in inputs.items():
        if kind == "image":
            flops["visual"] += x.shape[0] * image_flops(config)
        elif kind in ("text", "negative_text", "options"):
            flops["text"] += math.prod(x.shape[:-1]) * text_flops(config, x.shape[-1])
    return flops


def image_flops(config: CLIPConfig) -> int:
    """Operations of a forward pass for one image."""
    vision = config.vision
    patch = 2 * vision.grid**2 * vision.patch_size**2 * 3 * vision.width
    pool = _attention_pool(vision, vision.tokens) if vision.pool == "attention" else 0
    projection = 2 * vision.width * config.embed_dim if vision.projection else 0
    return patch + _transformer(vision, vision.tokens) + pool + projection


def text_flops(config: CLIPConfig, tokens: int) -> int:
    """Operations of a forward pass for one caption of `tokens` tokens."""
    return _transformer(config.text, tokens) + 2 * config.text.width * config.embed_dim


def _transformer(config: VisionConfig | TextConfig, tokens: int) -> int:
    width = config.width
    products = 2 * tokens * (4 * width * width + 2 * width * config.mlp_width)
    attention = 2 * 2 * tokens * tokens * width
    return config.depth * (products + attention)


def _attention_pool(config: VisionConfig, tokens: int) -> int:
    width = config.width
    return 2 * (tokens * 2 * width * width + 2 * width * width + 2 * tokens * width + 2 * width * config.mlp_width)
