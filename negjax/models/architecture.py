"""Architectures as frozen dataclasses.

Everything that changes an embedding is a field here (activation and layer-norm epsilon included), is written into
every checkpoint and is never guessed.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from negjax.errors import NegjaxError

Activation = Literal["gelu", "quick_gelu", "gelu_tanh"]
ImagePool = Literal["token", "average", "attention"]
TextPool = Literal["argmax", "eos", "last"]


@dataclass(frozen=True)
class VisionConfig:
    """A vision transformer on square patches with learned positions.

    norm_pre: a layer norm before the first block. pool: "token" (the class token), "average" (over the patches) or
    "attention" (SigLIP's learned query). norm_after_pool: the last layer norm works on the pooled vector instead of on
    every token, which matters to "average" alone. projection: a linear map to the embedding, without bias.
    """

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    activation: Activation
    layer_norm_eps: float = 1e-5
    class_token: bool = True
    patch_bias: bool = False
    norm_pre: bool = True
    pool: ImagePool = "token"
    norm_after_pool: bool = False
    projection: bool = True

    @property
    def grid(self) -> int:
        """Patches along a side; what is left over at the right and the bottom is not seen, as in a convolution."""
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        """Sequence length: the patches and the class token."""
        return self.grid**2 + self.class_token


@dataclass(frozen=True)
class TextConfig:
    """A text transformer.

    pool: where the embedding is taken: "argmax" (the largest id, CLIP's end token), "eos" (the first `end_token`) or
    "last" (the last position, padding or not). projection: a linear map to the embedding.
    """

    context_length: int
    vocab_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    activation: Activation
    layer_norm_eps: float = 1e-5
    causal: bool = True
    pool: TextPool = "argmax"
    end_token: int = 0
    projection: bool = True
    projection_bias: bool = False

    @property
    def sees_padding(self) -> bool:
        """Whether what follows the end token changes the embedding, so that captions must not be trimmed."""
        return not self.causal or self.pool == "last"


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
    logit_scale_init: float = math.log(1 / 0.07)
    logit_bias_init: float | None = None

    def __post_init__(self) -> None:
        if self.vision.image_size < self.vision.patch_size:
            raise NegjaxError(
                f"image size {self.vision.image_size} is smaller than patch size {self.vision.patch_size}"
            )
        for what, tower in (("vision", self.vision), ("text", self.text)):
            pools = get_args(ImagePool if what == "vision" else TextPool)
            for field, allowed in (("activation", get_args(Activation)), ("pool", pools)):
                if getattr(tower, field) not in allowed:
                    raise NegjaxError(f"{what} {field} is {getattr(tower, field)!r}: it must be {', '.join(allowed)}")
            if tower.width % tower.heads:
                raise NegjaxError(f"{what} width {tower.width} cannot be split into {tower.heads} heads")
            if not tower.projection and tower.width != self.embed_dim:
                raise NegjaxError(f"{what} width {tower.width} needs a projection to the embedding's {self.embed_dim}")
        if self.vision.pool == "token" and not self.vision.class_token:
            raise NegjaxError('pool "token" needs a class token')

    @property
    def activation(self) -> str:
        """The activation of both towers; "IMAGE/TEXT" where they differ."""
        vision, text = self.vision.activation, self.text.activation
        return vision if vision == text else f"{vision}/{text}"


def with_activation(config: CLIPConfig, activation: str) -> CLIPConfig:
    """The same architecture with another activation in both towers ("IMAGE/TEXT" for one in each)."""
    vision, _, text = activation.partition("/")
    image_tower = dataclasses.replace(config.vision, activation=cast(Activation, vision))
    text_tower = dataclasses.replace(config.text, activation=cast(Activation, text or vision))
    return dataclasses.replace(config, vision=image_tower, text=text_tower)


def for_sigmoid_loss(config: CLIPConfig) -> CLIPConfig:
    """The same architecture with SigLIP's learned bias and its first scale and bias (Zhai et al. 2023, section 3.2)."""
    return dataclasses.replace(config, logit_scale_init=math.log(10), logit_bias_init=-10.0)


def to_dict(config: CLIPConfig) -> dict[str, Any]:
    """A JSON-able form of the architecture, as stored in checkpoints."""
    return dataclasses.asdict(config)


def from_dict(data: dict[str, Any]) -> CLIPConfig:
    """The inverse of `to_dict`. Raises NegjaxError when a field is missing or unknown."""
    try:
        towers = {"vision": VisionConfig(**data["vision"]), "text": TextConfig(**data["text"])}
        return CLIPConfig(**data | towers)
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"not an architecture of this version of negjax: {error}") from error
