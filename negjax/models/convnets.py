"""Convolutional image towers as frozen dataclasses: OpenAI's ResNets and ConvNeXts."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ResNetConfig:
    """A ResNet of OpenAI's CLIP: three convolutions as its stem, averages before strides, pooling by attention.

    Its activation is the ReLU. Batch norms use their stored statistics, in training too.

    Attributes:
        image_size: Side of the square image, in pixels.
        width: Channels of the stem's output; 32 times as many reach the pooling.
        depths: Blocks of each of the four stages.
        heads: Attention heads of the pooling.
        kind: Tells the towers apart where they are stored.
    """

    image_size: int
    width: int
    depths: tuple[int, int, int, int]
    heads: int
    kind: Literal["resnet"] = "resnet"

    @property
    def final_width(self) -> int:
        """Channels of the last stage."""
        return 32 * self.width

    @property
    def grid(self) -> int:
        """Positions along a side after the last stage."""
        return self.image_size // 32

    @property
    def tokens(self) -> int:
        """What the pooling attends to: the positions and their mean."""
        return self.grid**2 + 1

    @property
    def positions(self) -> int:
        """Learned positions: one for each of these."""
        return self.tokens


@dataclass(frozen=True)
class ConvNeXtConfig:
    """A ConvNeXt (Liu et al. 2022) whose positions are averaged, normed and projected.

    Its activation is the exact GELU.

    Attributes:
        image_size: Side of the square image, in pixels.
        widths: Channels of each of the four stages.
        depths: Blocks of each stage.
        layer_norm_eps: Added to the variance.
        projection: "linear" (one map without bias) or "mlp" (two, with a hidden layer of twice the embedding's length).
        kind: Tells the towers apart where they are stored.
    """

    image_size: int
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    layer_norm_eps: float = 1e-6
    projection: Literal["linear", "mlp"] = "linear"
    kind: Literal["convnext"] = "convnext"

    @property
    def final_width(self) -> int:
        """Channels of the last stage."""
        return self.widths[-1]
