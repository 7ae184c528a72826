"""The architecture of OpenAI's CLIP archives, from the shapes of their tensors."""

import math
from collections.abc import Mapping

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.weights.lazy_tensor import LazyTensor


def read_openai_config(tensors: Mapping[str, LazyTensor]) -> CLIPConfig:
    """The architecture of an OpenAI archive, where all heads are 64 wide and the activation is QuickGELU."""
    width, _, patch_size, _ = tensors["visual.conv1.weight"].shape
    grid = math.isqrt(tensors["visual.positional_embedding"].shape[0] - 1)
    vocab_size, text_width = tensors["token_embedding.weight"].shape

    def tower_sizes(width: int, prefix: str) -> tuple[int, int, int, int]:
        """Width, depth, heads, MLP width of the tower whose blocks start with `prefix`."""
        depth = len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})
        return width, depth, width // 64, tensors[f"{prefix}0.mlp.c_fc.weight"].shape[0]

    return CLIPConfig(
        "custom",
        tensors["text_projection"].shape[1],
        VisionConfig(grid * patch_size, patch_size, *tower_sizes(width, "visual.transformer.resblocks."), "quick_gelu"),
        TextConfig(
            tensors["positional_embedding"].shape[0],
            vocab_size,
            *tower_sizes(text_width, "transformer.resblocks."),
            "quick_gelu",
        ),
    )
