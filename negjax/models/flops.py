"""Floating-point operations of the towers, counted from the architecture: two for each multiply and add.

The matrix products of Chowdhery et al. 2022 (appendix B), attention included; norms, softmax and activations are not
counted, as is the custom for "model FLOPs".
"""

from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.text_encoder import hidden_width


def image_flops(config: CLIPConfig) -> int:
    """Operations of a forward pass for one image."""
    vision = config.vision
    patch = 2 * vision.grid**2 * vision.patch_size**2 * 3 * vision.width
    pool = _attention_pool(vision, vision.tokens) if vision.pool == "attention" else 0
    projection = 2 * vision.width * config.embed_dim if vision.projection else 0
    return patch + _transformer(vision, vision.tokens) + pool + projection


def text_flops(config: CLIPConfig, tokens: int) -> int:
    """Operations of a forward pass for one caption of `tokens` tokens."""
    text, embed_dim = config.text, config.embed_dim
    head = 2 * text.width * embed_dim
    if isinstance(text, TextEncoderConfig):
        hidden = hidden_width(text, embed_dim)
        head = {"none": 0, "linear": head, "mlp": 2 * hidden * (text.width + embed_dim)}[text.projection]
        head += 2 * text.width**2 if text.pool == "pooler" else 0
    return _transformer(text, tokens) + head


def _transformer(config: VisionConfig | TextConfig | TextEncoderConfig, tokens: int) -> int:
    width = config.width
    products = 2 * tokens * (4 * width * width + 2 * width * config.mlp_width)
    attention = 2 * 2 * tokens * tokens * width
    return config.depth * (products + attention)


def _attention_pool(config: VisionConfig, tokens: int) -> int:
    width = config.width
    return 2 * (tokens * 2 * width * width + 2 * width * width + 2 * tokens * width + 2 * width * config.mlp_width)
