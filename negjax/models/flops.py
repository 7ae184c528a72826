"""Floating-point operations of the towers, counted from the architecture: two for each multiply and add.

The matrix products of Chowdhery et al. 2022 (appendix B), attention included; norms, softmax and activations are not
counted, as is the custom for "model FLOPs".
"""

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig


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
