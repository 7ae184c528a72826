"""Floating-point operations of the towers, counted from the architecture: two for each multiply and add.

A tower that pools one token needs of its last block no more than the keys and values of the others.

The matrix products of Chowdhery et al. 2022 (appendix B), attention included; norms, softmax and activations are not
counted, as is the custom for "model FLOPs".
"""

import math
from typing import TypeVar

import numpy as np

from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.text_encoder import hidden_width
from negjax.models.vision import pools_one_token

Count = TypeVar("Count", int, np.ndarray)


def image_flops(config: CLIPConfig) -> int:
    """Operations of a forward pass for one image."""
    vision = config.vision
    if isinstance(vision, ResNetConfig):
        return _resnet(vision, config.embed_dim)
    if isinstance(vision, ConvNeXtConfig):
        return _convnext(vision, config.embed_dim)
    patch = 2 * vision.grid**2 * math.prod(vision.patch_shape) * vision.width + _patch_stem(vision)
    pool, pooled_width = 0, vision.width
    if vision.pool == "attention":
        pool = _attention_pool(vision, vision.tokens)
    elif vision.pool == "cross_attention":
        pool, pooled_width = _cross_attention_pool(vision, config.embed_dim), config.embed_dim
    projection = 2 * pooled_width * config.embed_dim if vision.projection else 0
    return patch + _transformer(vision, vision.tokens, pools_one_token(vision)) + pool + projection


def text_flops(config: CLIPConfig, tokens: Count) -> Count:
    """Operations of a forward pass for one caption of `tokens` tokens, to which a class token may be added.

    Args:
        config: The architecture.
        tokens: One number, or int64 [N] for N captions.
    """
    text, embed_dim = config.text, config.embed_dim
    head = 2 * text.width * embed_dim
    if isinstance(text, TextEncoderConfig):
        hidden = hidden_width(text, embed_dim)
        head = {"none": 0, "linear": head, "mlp": 2 * hidden * (text.width + embed_dim)}[text.projection]
        head += 2 * text.width**2 if text.pool == "pooler" else 0
    else:
        tokens = tokens + text.tokens - text.context_length
    return _transformer(text, tokens, text.pool != "mean") + head


def _transformer(config: VisionConfig | TextConfig | TextEncoderConfig, tokens: Count, one_token: bool) -> Count:
    """one_token: of the last block only that one's output is needed."""
    width = config.width
    gated = isinstance(config, VisionConfig) and config.block == "sub_norm"
    keys_and_values = 2 * tokens * 2 * width * width
    rest = 2 * (2 * width * width + (3 if gated else 2) * width * config.mlp_width) + 2 * 2 * tokens * width  # a token
    last_tokens = 1 if one_token else tokens
    return config.depth * keys_and_values + ((config.depth - 1) * tokens + last_tokens) * rest


def _patch_stem(config: VisionConfig) -> int:
    side, size, width = config.image_size // (config.patch_size // 4), config.patch_size // 4, config.stem_width
    return 2 * (side**2 * size**2 * 3 * width + (side // 2) ** 2 * 4 * width * width) if width else 0


def _attention_pool(config: VisionConfig, tokens: int) -> int:
    width, mlp_width = config.width, config.pool_mlp_width or config.mlp_width
    return 2 * (tokens * 2 * width * width + 2 * width * width + 2 * tokens * width + 2 * width * mlp_width)


def _cross_attention_pool(config: VisionConfig, embed_dim: int) -> int:
    """The product of the learned query with its kernel is one for the whole batch, and is not counted."""
    tokens = config.tokens
    return 2 * (tokens * 2 * config.width * embed_dim + embed_dim * embed_dim + 2 * tokens * embed_dim)


def _resnet(config: ResNetConfig, embed_dim: int) -> int:
    width, half = config.width, config.width // 2
    products = (config.image_size // 2) ** 2 * 9 * (3 * half + half * half + half * width)  # of the stem
    inputs, side = width, config.image_size // 4
    for number, depth in enumerate(config.depths):
        inner, outer = width << number, 4 * (width << number)
        for block in range(depth):
            wide = side  # with a stride the first two convolutions run before the average, the others after it
            if block == 0 and number > 0:
                side //= 2
            products += wide**2 * (inputs * inner + 9 * inner * inner) + side**2 * inner * outer
            products += side**2 * inputs * outer if block == 0 else 0
            inputs = outer
    tokens, final = config.tokens, config.final_width
    products += final * final + tokens * 2 * final * final + 2 * tokens * final + final * embed_dim  # of the pooling
    return 2 * products


def _convnext(config: ConvNeXtConfig, embed_dim: int) -> int:
    products, inputs, side = 0, 3, config.image_size
    for number, (width, depth) in enumerate(zip(config.widths, config.depths)):
        patch = 4 if number == 0 else 2
        side //= patch
        products += side**2 * patch**2 * inputs * width
        products += depth * side**2 * (49 * width + 2 * width * 4 * width)
        inputs = width
    hidden = 2 * embed_dim
    mlp = config.projection == "mlp"
    return 2 * (products + (inputs * hidden + hidden * embed_dim if mlp else inputs * embed_dim))
