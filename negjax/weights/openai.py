"""The architecture of OpenAI's CLIP archives, from the shapes of their tensors."""

import math
from collections.abc import Mapping

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.convnets import ResNetConfig
from negjax.weights.lazy_tensor import LazyTensor


def read_openai_config(tensors: Mapping[str, LazyTensor]) -> CLIPConfig:
    """The architecture of an OpenAI archive, where all heads are 64 wide and the activation is QuickGELU.

    A ResNet's own is the ReLU.
    """
    vocab_size, text_width = tensors["token_embedding.weight"].shape

    def blocks(prefix: str) -> int:
        return len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})

    def tower_sizes(width: int, prefix: str) -> tuple[int, int, int, int]:
        """Width, depth, heads, MLP width of the tower whose blocks start with `prefix`."""
        return width, blocks(prefix), width // 64, tensors[f"{prefix}0.mlp.c_fc.weight"].shape[0]

    def vision_transformer() -> VisionConfig:
        width, _, patch_size, _ = tensors["visual.conv1.weight"].shape
        grid = math.isqrt(tensors["visual.positional_embedding"].shape[0] - 1)
        sizes = tower_sizes(width, "visual.transformer.resblocks.")
        return VisionConfig(grid * patch_size, patch_size, *sizes, "quick_gelu")

    def resnet() -> ResNetConfig:
        width = tensors["visual.layer1.0.conv1.weight"].shape[0]
        grid = math.isqrt(tensors["visual.attnpool.positional_embedding"].shape[0] - 1)
        first, second, third, fourth = (blocks(f"visual.layer{stage}.") for stage in (1, 2, 3, 4))
        return ResNetConfig(32 * grid, width, (first, second, third, fourth), 32 * width // 64)

    is_resnet = "visual.layer1.0.conv1.weight" in tensors
    return CLIPConfig(
        "custom",
        tensors["text_projection"].shape[1],
        resnet() if is_resnet else vision_transformer(),
        TextConfig(
            tensors["positional_embedding"].shape[0],
            vocab_size,
            *tower_sizes(text_width, "transformer.resblocks."),
            "quick_gelu",
        ),
        family="resnet" if is_resnet else "clip",
    )
