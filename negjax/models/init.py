"""Initial weights, as open_clip draws them, from one table of path pattern -> distribution.

Every tensor has its own generator, keyed by the seed and the tensor's path, so that its values depend neither on the
order of the table nor on the devices. They are drawn with NumPy on the host, without compilation or an accelerator.
"""

import math
import re
import zlib
from collections.abc import Callable

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, TextEncoderConfig, VisionConfig
from negjax.models.clip import Params, abstract_params
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.text_encoder import hidden_width

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
Initialisers = list[tuple[str, Draw]]  # (pattern of parameter paths, distribution); the first match counts


def _normal(std: float) -> Draw:
    return lambda rng, shape: rng.standard_normal(shape, dtype=np.float32) * np.float32(std)


def _uniform(bound: float) -> Draw:
    return lambda rng, shape: (2 * rng.random(shape, dtype=np.float32) - 1) * np.float32(bound)


def _uniform_of_fan_in(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """PyTorch's default for kernels, of which all axes but the last are inputs."""
    return _uniform(math.prod(shape[:-1]) ** -0.5)(rng, shape)


def _constant(value: float) -> Draw:
    return lambda rng, shape: np.full(shape, value, np.float32)


def _siglip_initialisers(config: CLIPConfig) -> Initialisers:
    """The image tower is timm's, whose linear layers start at normal(0.02)."""
    vision = config.vision
    if not isinstance(vision, VisionConfig):
        return []
    return [
        (r"visual/pool/query", _normal(vision.width**-0.5)),
        (r"visual/(transformer|pool)/.*/kernel|visual/positions", _normal(0.02)),
        (r"visual/(transformer|pool)/.*/bias", _constant(0.0)),
        (r"text/projection/bias", _constant(0.0)),
    ]


def _eva_initialisers(config: CLIPConfig) -> Initialisers:
    """timm's Eva: SigLIP's values, smaller in later blocks, and a projection that starts close to 0."""
    vision = config.vision
    if not isinstance(vision, VisionConfig):
        return []
    outputs = [
        (rf"visual/transformer/blocks/{i}/(attention/out|down)/kernel", _normal(0.02 * (2 * (i + 1)) ** -0.5))
        for i in range(vision.depth)
    ]
    return [
        *outputs,
        (r"visual/class_token", _normal(0.02)),
        (r"visual/projection/kernel", _normal(0.02 * 0.001)),
        (r"visual/projection/bias", _constant(0.0)),
        *_siglip_initialisers(config),
    ]


def _timm_initialisers(config: CLIPConfig) -> Initialisers:
    """timm's VisionTransformer: SigLIP's values, and a class token that starts close to 0."""
    return [
        (r"visual/class_token", _normal(1e-6)),
        (r"visual/projection/kernel", _normal(0.02)),
        (r"visual/projection/bias", _constant(0.0)),
        *_siglip_initialisers(config),
    ]


def _vit_initialisers(config: CLIPConfig, vision: VisionConfig) -> Initialisers:
    """open_clip's VisionTransformer, and MobileCLIP's stem."""
    return [
        (r"visual/stem/conv\d/kernel", _uniform_of_fan_in),
        (r"visual/patch/(kernel|bias)", _uniform(math.prod(vision.patch_shape) ** -0.5)),
        (r"visual/(class_token|positions|projection/kernel)", _normal(vision.width**-0.5)),
        (r"visual/pool/query", _normal(1.0)),
        (r"visual/pool/bias|visual/pool/out/bias", _constant(0.0)),
        (r"visual/pool/q/kernel", _uniform(math.sqrt(6 / (2 * config.embed_dim)))),
        (r"visual/pool/kv/kernel", _uniform(math.sqrt(6 / (vision.width + config.embed_dim)))),
        (r"visual/pool/out/kernel", _uniform(config.embed_dim**-0.5)),
        (r"visual/.*/qkv/kernel", _uniform(math.sqrt(6 / (4 * vision.width)))),
        (r"visual/.*/(out|up)/kernel|visual/.*/up/bias", _uniform(vision.width**-0.5)),
        (r"visual/.*/down/(kernel|bias)", _uniform(vision.mlp_width**-0.5)),
    ]


def _resnet_initialisers(vision: ResNetConfig) -> Initialisers:
    """open_clip's ModifiedResNet: a block's last norm starts at 0, so that the block starts as its shortcut."""
    return [
        (r"visual/pool/\w+/bias", _uniform(vision.final_width**-0.5)),
        (r"visual/pool/\w+/kernel|visual/positions", _normal(vision.final_width**-0.5)),
        (r"visual/.*/kernel", _uniform_of_fan_in),
    ]


def _convnext_initialisers(vision: ConvNeXtConfig) -> Initialisers:
    """timm's ConvNeXt and open_clip's projections."""
    return [
        (r"visual/projection/up/bias", _uniform(vision.final_width**-0.5)),
        (r"visual/projection/.*", _uniform_of_fan_in),
        (r"visual/.*layer_scale", _constant(1e-6)),
        (r"visual/.*/kernel", _normal(0.02)),
        (r"visual/.*/bias", _constant(0.0)),
    ]


def _image_initialisers(config: CLIPConfig) -> Initialisers:
    vision = config.vision
    if isinstance(vision, ResNetConfig):
        return _resnet_initialisers(vision)
    if isinstance(vision, ConvNeXtConfig):
        return _convnext_initialisers(vision)
    return _vit_initialisers(config, vision)


def _encoder_initialisers(config: CLIPConfig) -> Initialisers:
    """The encoder is transformers', whose matrices start at normal(0.02); the projection is PyTorch's default."""
    text = config.text
    if not isinstance(text, TextEncoderConfig):
        return []
    return [
        (r"text/(projection|hidden)/kernel", _uniform(text.width**-0.5)),
        (r"text/output/kernel", _uniform(hidden_width(text, config.embed_dim) ** -0.5)),
        (r"text/(tokens|positions|token_types|.*/kernel)", _normal(0.02)),
        (r"text/.*/bias", _constant(0.0)),
    ]


# Where a family starts from other values than CLIP; other families use CLIP's alone.
_FAMILY_INITIALISERS: dict[str, Callable[[CLIPConfig], Initialisers]] = {
    "siglip": _siglip_initialisers,
    "pe_core": _eva_initialisers,
    "eva": _eva_initialisers,
    "eva02": _eva_initialisers,
    "mobileclip": _timm_initialisers,
    "timm_clip": _timm_initialisers,
}


def _initialisers(config: CLIPConfig) -> Initialisers:
    """The table of an architecture.

    Source: open_clip's VisionTransformer and CLIP.init_parameters; where those leave a layer alone it is PyTorch's
    default: uniform within 1/sqrt(fan in) for Linear and Conv2d, Xavier uniform for the fused q, k, v.
    """
    text = config.text
    residual = (2 * text.depth) ** -0.5 * text.width**-0.5
    family_initialisers = _FAMILY_INITIALISERS.get(config.family, lambda config: [])
    return [
        (r"logit_scale", _constant(config.logit_scale_init)),
        (r"logit_bias", _constant(config.logit_bias_init or 0.0)),
        (r"visual/stage\d/.*/norm3/scale", _constant(0.0)),
        (r".*norm\w*/scale", _constant(1.0)),
        (r".*norm\w*/(bias|mean)|.*attention/\w+/bias", _constant(0.0)),
        (r".*norm\w*/variance", _constant(1.0)),
        *family_initialisers(config),
        *_encoder_initialisers(config),
        *_image_initialisers(config),
        (r"text/tokens", _normal(0.02)),
        (r"text/(positions|class_token)", _normal(0.01)),
        (r"text/.*/qkv/kernel|text/projection/kernel", _normal(text.width**-0.5)),
        (r"text/.*/(out|down)/kernel", _normal(residual)),
        (r"text/.*/up/kernel", _normal((2 * text.width) ** -0.5)),
        (r"text/.*/up/bias", _uniform(text.width**-0.5)),
        (r"text/.*/down/bias", _uniform(text.mlp_width**-0.5)),
    ]


def init_params(config: CLIPConfig, seed: int) -> Params:
    """Draws fresh parameters.

    Args:
        config: The architecture.
        seed: The same seed gives the same values on any machine.

    Returns:
        The tree of parameters, float32 NumPy arrays.

    Raises:
        NegjaxError: If a parameter of the architecture has no initialiser.
    """
    initialisers = [(re.compile(pattern), draw) for pattern, draw in _initialisers(config)]

    def draw_one(key_path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        path = jax.tree_util.keystr(key_path, simple=True, separator="/")
        draw = next((draw for pattern, draw in initialisers if pattern.fullmatch(path)), None)
        if draw is None:
            raise NegjaxError(
                f"the parameter {path} of {config.name} (family {config.family!r}) has no initialiser: "
                "add one to the table in negjax/models/init.py"
            )
        rng = np.random.default_rng([seed, zlib.crc32(path.encode())])
        return draw(rng, leaf.shape)

    return jax.tree_util.tree_map_with_path(draw_one, abstract_params(config))
