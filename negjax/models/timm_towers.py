"""timm's image towers by name, as open_clip's configs name them.

Source: timm 1.0.31, convnext.py, eva.py, vision_transformer.py and vision_transformer_hybrid.py.
"""

from negjax.models.architecture import BlockForm, VisionConfig
from negjax.models.convnets import ConvNeXtConfig

CONVNEXTS = {
    "convnext_tiny": ConvNeXtConfig(224, (96, 192, 384, 768), (3, 3, 9, 3)),
    "convnext_small": ConvNeXtConfig(224, (96, 192, 384, 768), (3, 3, 27, 3)),
    "convnext_base": ConvNeXtConfig(224, (128, 256, 512, 1024), (3, 3, 27, 3)),
    "convnext_large": ConvNeXtConfig(224, (192, 384, 768, 1536), (3, 3, 27, 3)),
    "convnext_xlarge": ConvNeXtConfig(224, (256, 512, 1024, 2048), (3, 3, 27, 3)),
    "convnext_xxlarge": ConvNeXtConfig(224, (384, 768, 1536, 3072), (3, 4, 30, 3), layer_norm_eps=1e-5),
}


def perception_encoder(
    image_size: int,
    patch_size: int,
    width: int,
    depth: int,
    heads: int,
    *,
    mlp_width: int = 0,
    class_token: bool = True,
) -> VisionConfig:
    """A Perception Encoder (Bolya et al. 2025). mlp_width: of the blocks, 4 x width if 0."""
    return VisionConfig(
        image_size,
        patch_size,
        width,
        depth,
        heads,
        mlp_width or 4 * width,
        "gelu",
        class_token=class_token,
        pool="attention",
        projection_bias=True,
        pool_mlp_width=4 * width,
        rotary="columns_first",
        rotary_grid=image_size // patch_size,
        rotary_start=int(class_token),
    )


def eva(
    image_size: int,
    patch_size: int,
    width: int,
    depth: int,
    heads: int,
    mlp_width: int,
    block: BlockForm = "pre_norm",
) -> VisionConfig:
    """An image tower of EVA-CLIP (Sun et al. 2023); "sub_norm" is for those of EVA-02 with rotary positions."""
    sub_norm = block == "sub_norm"
    return VisionConfig(
        image_size,
        patch_size,
        width,
        depth,
        heads,
        mlp_width,
        "silu" if sub_norm else "gelu",
        layer_norm_eps=1e-6,
        patch_bias=True,
        norm_pre=False,
        projection_bias=True,
        rotary="rows_first" if sub_norm else "none",
        rotary_grid=16 if sub_norm else 0,
        block=block,
        key_bias=False,
    )


EVAS = {
    "eva_giant_patch14_224": eva(224, 14, 1408, 40, 16, 6144),
    "eva02_base_patch16_clip_224": eva(224, 16, 768, 12, 12, 2048, "sub_norm"),
    "eva02_large_patch14_clip_224": eva(224, 14, 1024, 24, 16, 2730, "sub_norm"),
    "eva02_large_patch14_clip_336": eva(336, 14, 1024, 24, 16, 2730, "sub_norm"),
    "eva02_enormous_patch14_clip_224": eva(224, 14, 1792, 64, 16, 15360, "res_post_norm"),
}
PERCEPTION_ENCODERS = {
    "vit_pe_core_tiny_patch16_384": perception_encoder(384, 16, 192, 12, 3),
    "vit_pe_core_small_patch16_384": perception_encoder(384, 16, 384, 12, 6),
    "vit_pe_core_base_patch16_224": perception_encoder(224, 16, 768, 12, 12),
    "vit_pe_core_large_patch14_336": perception_encoder(336, 14, 1024, 24, 16),
    "vit_pe_core_gigantic_patch14_448": perception_encoder(448, 14, 1536, 50, 16, mlp_width=8960, class_token=False),
}


def hybrid(image_size: int, patch_size: int, width: int, depth: int, heads: int) -> VisionConfig:
    """MobileCLIP's image tower (Vasu et al. 2024): convolutions before the patches, no position of the class token."""
    return VisionConfig(
        image_size,
        patch_size,
        width,
        depth,
        heads,
        4 * width,
        "gelu",
        layer_norm_eps=1e-6,
        patch_bias=True,
        norm_pre=False,
        projection_bias=True,
        stem_width=width // 4,
        class_position=False,
    )


def clip_vit(image_size: int, patch_size: int, width: int, depth: int, heads: int) -> VisionConfig:
    """CLIP's image tower, whose projection has a bias in timm."""
    return VisionConfig(image_size, patch_size, width, depth, heads, 4 * width, "gelu", projection_bias=True)


HYBRIDS = {"vit_base_mci_224": hybrid(224, 16, 768, 12, 12)}
CLIP_VITS = {"vit_large_patch14_clip_224": clip_vit(224, 14, 1024, 24, 16)}
