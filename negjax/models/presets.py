"""Architectures: frozen dataclasses, and the names under which people know them.

Everything that changes an embedding is a field here (activation and layer-norm epsilon included), is written into
every checkpoint and is never guessed. The figures of the named presets are those of open_clip's model configs.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from negjax.errors import NegjaxError

Activation = Literal["gelu", "quick_gelu"]


@dataclass(frozen=True)
class VisionConfig:
    """A vision transformer: square patches, a class token, learned positions; the class token is the pooled output."""

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int

    @property
    def tokens(self) -> int:
        """Sequence length: the patches and the class token."""
        return (self.image_size // self.patch_size) ** 2 + 1


@dataclass(frozen=True)
class TextConfig:
    """A causal text transformer; the pooled output is the one at the end token."""

    context_length: int
    vocab_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int


@dataclass(frozen=True)
class CLIPConfig:
    """A two-tower CLIP.

    logit_scale_init is the logarithm of the first temperature's inverse, ln(1 / 0.07). logit_bias_init, where it is
    not None, adds the learned bias of SigLIP's loss (SigLIP starts it at -10, with a scale of 10).
    """

    name: str
    embed_dim: int
    vision: VisionConfig
    text: TextConfig
    activation: Activation
    layer_norm_eps: float = 1e-5
    logit_scale_init: float = math.log(1 / 0.07)
    logit_bias_init: float | None = None

    def __post_init__(self) -> None:
        if self.activation not in ("gelu", "quick_gelu"):
            raise NegjaxError(f"activation is {self.activation!r}: it must be 'gelu' or 'quick_gelu'")
        if self.vision.image_size % self.vision.patch_size:
            raise NegjaxError(
                f"image size {self.vision.image_size} is not a multiple of patch size {self.vision.patch_size}"
            )
        for tower in (self.vision, self.text):
            if tower.width % tower.heads:
                raise NegjaxError(f"width {tower.width} cannot be split into {tower.heads} heads")


def to_dict(config: CLIPConfig) -> dict[str, Any]:
    """A JSON-able form of the architecture, as stored in checkpoints."""
    return dataclasses.asdict(config)


def from_dict(data: dict[str, Any]) -> CLIPConfig:
    """The inverse of `to_dict`. Raises NegjaxError when a field is missing or unknown."""
    try:
        return CLIPConfig(
            **{
                **data,
                "vision": VisionConfig(**data["vision"]),
                "text": TextConfig(**data["text"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"not an architecture of this version of negjax: {error}") from error


def _clip(
    name: str,
    embed_dim: int,
    vision: tuple[int, int, int, int, int],
    text: tuple[int, int, int],
    *,
    mlp_width: int = 0,
    context: int = 77,
) -> CLIPConfig:
    """vision: image size, patch, width, depth, heads; text: width, depth, heads; mlp_width: unless 4 x width."""
    image_size, patch, width, depth, heads = vision
    text_width, text_depth, text_heads = text
    return CLIPConfig(
        name=name,
        embed_dim=embed_dim,
        vision=VisionConfig(image_size, patch, width, depth, heads, mlp_width or 4 * width),
        text=TextConfig(context, 49408, text_width, text_depth, text_heads, 4 * text_width),
        activation="gelu",
    )


_QUICKGELU = "-quickgelu"
PRESETS: dict[str, CLIPConfig] = {
    preset.name: preset
    for preset in (
        _clip("ViT-B-32", 512, (224, 32, 768, 12, 12), (512, 12, 8)),
        _clip("ViT-B-16", 512, (224, 16, 768, 12, 12), (512, 12, 8)),
        _clip("ViT-L-14", 768, (224, 14, 1024, 24, 16), (768, 12, 12)),
        _clip("ViT-L-14-336", 768, (336, 14, 1024, 24, 16), (768, 12, 12)),
        _clip("ViT-H-14", 1024, (224, 14, 1280, 32, 16), (1024, 24, 16)),
        _clip("ViT-g-14", 1024, (224, 14, 1408, 40, 16), (1024, 24, 16), mlp_width=6144),
        _clip("ViT-bigG-14", 1280, (224, 14, 1664, 48, 16), (1280, 32, 20), mlp_width=8192),
        # Small enough to train on a laptop's CPU; for tests, the quickstart and trying things out.
        _clip("tiny", 64, (40, 8, 64, 3, 2), (64, 2, 2)),
        _clip("small", 192, (64, 16, 192, 6, 3), (192, 4, 3)),
    )
}


def preset(name: str) -> CLIPConfig:
    """The architecture called `name` (open_clip's names; the suffix "-quickgelu" swaps the activation).

    Raises NegjaxError for an unknown name, listing the known ones.
    """
    base = name.removesuffix(_QUICKGELU)
    if base not in PRESETS:
        known = ", ".join(PRESETS)
        raise NegjaxError(f"no architecture called {name!r}; there are {known} (each also with {_QUICKGELU})")
    config = PRESETS[base]
    return config if base == name else dataclasses.replace(config, name=name, activation="quick_gelu")


def for_sigmoid_loss(config: CLIPConfig) -> CLIPConfig:
    """The same architecture with SigLIP's learned bias and its first scale and bias (Zhai et al. 2023, section 3.2)."""
    return dataclasses.replace(config, logit_scale_init=math.log(10), logit_bias_init=-10.0)
