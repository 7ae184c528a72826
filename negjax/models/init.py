"""Initial weights, as open_clip draws them, from one table of path pattern -> distribution.

Every tensor has a generator of its own, keyed by the seed and the tensor's path, so that a value depends neither on
the order of the table nor on the devices. Drawn with NumPy on the host: no compilation, and no accelerator needed.
"""

import math
import re
import zlib
from collections.abc import Callable

import jax
import numpy as np

from negjax.models.architecture import CLIPConfig
from negjax.models.clip import Params, abstract_params

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _normal(std: float) -> Draw:
    return lambda rng, shape: rng.standard_normal(shape, dtype=np.float32) * np.float32(std)


def _uniform(bound: float) -> Draw:
    return lambda rng, shape: (2 * rng.random(shape, dtype=np.float32) - 1) * np.float32(bound)


def _constant(value: float) -> Draw:
    return lambda rng, shape: np.full(shape, value, np.float32)


def _table(config: CLIPConfig) -> list[tuple[str, Draw]]:
    """Path pattern -> distribution; the first match counts.

    Source: open_clip's VisionTransformer and CLIP.init_parameters; where those leave a layer alone it is PyTorch's
    default: uniform within 1/sqrt(fan in) for Linear and Conv2d, Xavier uniform for the fused q, k, v.
    """
    vision, text = config.vision, config.text
    residual = (2 * text.depth) ** -0.5 * text.width**-0.5
    siglip = [  # the image tower is timm's, whose linear layers start at normal(0.02)
        (r"visual/pool/query", _normal(vision.width**-0.5)),
        (r"visual/(transformer|pool)/.*/kernel|visual/positions", _normal(0.02)),
        (r"visual/(transformer|pool)/.*/bias", _constant(0.0)),
        (r"visual/patch/bias", _uniform((3 * vision.patch_size**2) ** -0.5)),
        (r"text/projection/bias", _constant(0.0)),
    ]
    return [
        (r"logit_scale", _constant(config.logit_scale_init)),
        (r"logit_bias", _constant(config.logit_bias_init or 0.0)),
        (r".*norm\w*/scale", _constant(1.0)),
        (r".*norm\w*/bias|.*attention/\w+/bias", _constant(0.0)),
        *(siglip if vision.pool == "attention" else []),
        (r"visual/patch/kernel", _uniform((3 * vision.patch_size**2) ** -0.5)),
        (r"visual/(class_token|positions|projection/kernel)", _normal(vision.width**-0.5)),
        (r"visual/.*/qkv/kernel", _uniform(math.sqrt(6 / (4 * vision.width)))),
        (r"visual/.*/(out|up)/kernel|visual/.*/up/bias", _uniform(vision.width**-0.5)),
        (r"visual/.*/down/(kernel|bias)", _uniform(vision.mlp_width**-0.5)),
        (r"text/tokens", _normal(0.02)),
        (r"text/positions", _normal(0.01)),
        (r"text/.*/qkv/kernel|text/projection/kernel", _normal(text.width**-0.5)),
        (r"text/.*/(out|down)/kernel", _normal(residual)),
        (r"text/.*/up/kernel", _normal((2 * text.width) ** -0.5)),
        (r"text/.*/up/bias", _uniform(text.width**-0.5)),
        (r"text/.*/down/bias", _uniform(text.mlp_width**-0.5)),
    ]


def init_params(config: CLIPConfig, seed: int) -> Params:
    """Fresh parameters as float32 NumPy arrays, the same for the same seed on any machine."""
    table = [(re.compile(pattern), draw) for pattern, draw in _table(config)]

    def one(path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        name = "/".join(entry.key for entry in path)
        draw = next(draw for pattern, draw in table if pattern.fullmatch(name))
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        return draw(rng, leaf.shape)

    return jax.tree_util.tree_map_with_path(one, abstract_params(config))
