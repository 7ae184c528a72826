"""Named architectures, open_clip's and two small ones, and the usual preprocessing of each family.

The figures are those of open_clip's model configs (open_clip_torch 3.3.0); the image towers of its SigLIP models are
timm's (timm 1.0.31), as are those of `negjax.models.timm_towers`. BiomedCLIP is a model of open_clip's form on the
Hugging Face hub.
"""

import dataclasses

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import Activation, CLIPConfig, TextConfig, VisionConfig, with_activation
from negjax.models.convnets import ResNetConfig
from negjax.models.preset_kinds import (
    make_biomed_clip,
    make_chinese_clip,
    make_clip,
    make_clipa,
    make_coca,
    make_convnet,
    make_convnext,
    make_eva,
    make_mobileclip,
    make_pe_core,
    make_siglip,
    with_encoder,
)

QUICKGELU_SUFFIX = "-quickgelu"
_CHINESE_CLIP = "chinese-clip-vit-"
PRESETS_OF_NEGJAX = (  # which open_clip does not have by name
    "tiny",
    "small",
    "BiomedCLIP",
    *(_CHINESE_CLIP + size for size in ("base-patch16", "large-patch14", "large-patch14-336px")),
)
_HALF = (0.5, 0.5, 0.5)
# What the models of a family are trained with (open_clip's pretrained.py); CLIP's preprocessing for other families.
_SIGLIP_PREPROCESS = Preprocess(mean=_HALF, std=_HALF, resize_mode="squash")
_FAMILY_PREPROCESS = {
    "siglip": _SIGLIP_PREPROCESS,
    "nllb_siglip": _SIGLIP_PREPROCESS,
    "pe_core": Preprocess(mean=_HALF, std=_HALF, interpolation="bilinear", resize_mode="squash"),
    "mobileclip": Preprocess(mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear"),
    "clipa": Preprocess(
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bilinear", resize_mode="squash"
    ),
}
# CLIPs whose published weights are all trained with another resize mode than their family's.
_SQUASHED = {"ViT-H-14-378", "ViT-H-14-worldwide-378", "ViT-bigG-14-worldwide-378"}


_B, _L, _SO, _GOPT = (768, 12, 12, 3072), (1024, 24, 16, 4096), (1152, 27, 16, 4304), (1536, 40, 16, 6144)
_EXACT: tuple[Activation, Activation] = ("gelu", "gelu")
_SECOND: tuple[Activation, Activation] = ("gelu", "gelu_tanh")
_TANH: tuple[Activation, Activation] = ("gelu_tanh", "gelu_tanh")
_NLLB_600M, _NLLB_1B = "facebook/nllb-200-distilled-600M", "facebook/nllb-200-distilled-1.3B"
_H_TEXT, _BIG_TEXT = (1024, 24, 16), (1280, 32, 20)
_LARGE = (
    make_clip("ViT-L-14", 768, (224, 14, 1024, 24, 16), (768, 12, 12)),
    make_clip("ViT-H-14", 1024, (224, 14, 1280, 32, 16), _H_TEXT),
    make_clip("ViT-bigG-14", 1280, (224, 14, 1664, 48, 16), _BIG_TEXT, mlp_width=8192),
)
PRESETS: dict[str, CLIPConfig] = {
    preset.name: preset
    for preset in (
        make_clip("ViT-B-32", 512, (224, 32, 768, 12, 12), (512, 12, 8)),
        make_clip("ViT-B-32-256", 512, (256, 32, 768, 12, 12), (512, 12, 8)),
        make_clip("ViT-B-32-plus-256", 640, (256, 32, 896, 12, 14), (640, 12, 10)),
        make_clip("ViT-B-16", 512, (224, 16, 768, 12, 12), (512, 12, 8)),
        make_clip("ViT-B-16-plus", 640, (224, 16, 896, 12, 14), (640, 12, 10)),
        make_clip("ViT-B-16-plus-240", 640, (240, 16, 896, 12, 14), (640, 12, 10)),
        make_clip("ViT-S-32", 384, (224, 32, 384, 12, 6), (384, 12, 6)),
        make_clip("ViT-S-32-alt", 256, (224, 32, 384, 12, 6), (256, 10, 4)),
        make_clip("ViT-S-16", 384, (224, 16, 384, 12, 6), (384, 12, 6)),
        make_clip("ViT-S-16-alt", 256, (224, 16, 384, 12, 6), (256, 10, 4)),
        make_clip("ViT-M-32", 512, (224, 32, 512, 12, 8), (512, 12, 8)),
        make_clip("ViT-M-32-alt", 384, (224, 32, 512, 12, 8), (384, 12, 6)),
        make_clip("ViT-M-16", 512, (224, 16, 512, 12, 8), (512, 12, 8)),
        make_clip("ViT-L-16", 768, (224, 16, 1024, 24, 16), (768, 12, 12)),
        make_clip("ViT-L-16-320", 768, (320, 16, 1024, 24, 16), (768, 12, 12)),
        *_LARGE,
        make_clip("ViT-L-14-280", 768, (280, 14, 1024, 24, 16), (768, 12, 12)),
        make_clip("ViT-L-14-336", 768, (336, 14, 1024, 24, 16), (768, 12, 12)),
        make_clip("ViT-H-14-378", 1024, (378, 14, 1280, 32, 16), _H_TEXT),
        make_clip("ViT-H-16", 1024, (224, 16, 1280, 32, 16), _H_TEXT),
        make_clip("ViT-g-14", 1024, (224, 14, 1408, 40, 16), _H_TEXT, mlp_width=6144),
        make_clip("ViT-e-14", 1280, (224, 14, 1792, 56, 16), (1280, 36, 20), mlp_width=15360),
        *(make_clipa(base, size) for base in _LARGE for size in (224, 336)),
        make_clip("ViT-L-14-worldwide", 768, (224, 14, 1024, 24, 16), (768, 12, 12), vocab_size=250100, end_token=1),
        *(
            make_clip(
                f"ViT-H-14-worldwide{tag}", 1024, (size, 14, 1280, 32, 16), _H_TEXT, vocab_size=901629, end_token=2
            )
            for tag, size in (("", 224), ("-378", 378))
        ),
        *(
            make_clip(
                f"ViT-bigG-14-worldwide{tag}",
                1280,
                (size, 14, 1664, 48, 16),
                _BIG_TEXT,
                mlp_width=8192,
                vocab_size=901629,
                end_token=2,
            )
            for tag, size in (("", 224), ("-378", 378))
        ),
        make_convnet("RN50", 1024, ResNetConfig(224, 64, (3, 4, 6, 3), 32), (512, 12, 8)),
        make_convnet("RN101", 512, ResNetConfig(224, 64, (3, 4, 23, 3), 32), (512, 12, 8)),
        make_convnet("RN50x4", 640, ResNetConfig(288, 80, (4, 6, 10, 6), 40), (640, 12, 10)),
        make_convnet("RN50x16", 768, ResNetConfig(384, 96, (6, 8, 18, 8), 48), (768, 12, 12)),
        make_convnet("RN50x64", 1024, ResNetConfig(448, 128, (3, 15, 36, 10), 64), (1024, 12, 16)),
        make_convnext("convnext_tiny", 1024, 224, (512, 12, 8)),
        make_convnext("convnext_small", 512, 224, (512, 12, 8)),
        make_convnext("convnext_base", 512, 224, (512, 12, 8)),
        make_convnext("convnext_base_w", 640, 256, (640, 12, 10)),
        make_convnext("convnext_base_w_320", 640, 320, (640, 12, 10)),
        make_convnext("convnext_large", 768, 224, (768, 12, 12)),
        make_convnext("convnext_large_d", 768, 256, (768, 16, 12)),
        make_convnext("convnext_large_d_320", 768, 320, (768, 16, 12)),
        make_convnext("convnext_xlarge", 1024, 256, (1024, 20, 16)),
        make_convnext("convnext_xxlarge", 1024, 256, (1024, 24, 16)),
        make_convnext("convnext_xxlarge_320", 1024, 320, (1024, 24, 16)),
        make_coca("coca_ViT-B-32", 512, (224, 32, 768, 12, 12), (512, 12, 8)),
        make_coca("coca_ViT-L-14", 768, (224, 14, 1024, 24, 16), (768, 12, 12)),
        # CONCH, whose image tower is timm's (mahmoodlab/CONCH, conch_ViT-B-16.json).
        CLIPConfig(
            "conch_ViT-B-16",
            512,
            VisionConfig(
                *(448, 16, *_B),
                "gelu",
                layer_norm_eps=1e-6,
                patch_bias=True,
                norm_pre=False,
                pool="cross_attention",
            ),
            TextConfig(127, 32007, *_B, "gelu", pool="class"),
            family="conch",
        ),
        make_pe_core("PE-Core-T-16-384", 512, "vit_pe_core_tiny_patch16_384", 32, 12),
        make_pe_core("PE-Core-S-16-384", 512, "vit_pe_core_small_patch16_384", 32, 12),
        make_pe_core("PE-Core-B-16", 1024, "vit_pe_core_base_patch16_224", 32, 24),
        make_pe_core("PE-Core-L-14-336", 1024, "vit_pe_core_large_patch14_336", 32, 24),
        make_pe_core("PE-Core-bigG-14-448", 1280, "vit_pe_core_gigantic_patch14_448", 72, 24),
        make_eva("EVA01-g-14", 1024, "eva_giant_patch14_224", (768, 12, 12)),
        make_eva("EVA01-g-14-plus", 1024, "eva_giant_patch14_224", _H_TEXT),
        make_eva("EVA02-B-16", 512, "eva02_base_patch16_clip_224", (512, 12, 8)),
        make_eva("EVA02-L-14", 768, "eva02_large_patch14_clip_224", (768, 12, 12)),
        make_eva("EVA02-L-14-336", 768, "eva02_large_patch14_clip_336", (768, 12, 12)),
        make_eva("EVA02-E-14", 1024, "eva02_enormous_patch14_clip_224", _H_TEXT),
        make_eva("EVA02-E-14-plus", 1024, "eva02_enormous_patch14_clip_224", _BIG_TEXT),
        make_mobileclip("MobileCLIP-B", 512, "vit_base_mci_224"),
        make_mobileclip("MobileCLIP2-B", 512, "vit_base_mci_224"),
        make_mobileclip("MobileCLIP2-L-14", 768, "vit_large_patch14_clip_224", causal=False),
        # SigLIP, and its second version, which differs in vocabulary and activation.
        make_siglip("ViT-B-16-SigLIP", 224, 16, _B, 32000, _EXACT),
        *(make_siglip(f"ViT-B-16-SigLIP-{size}", size, 16, _B, 32000, _EXACT) for size in (256, 384, 512)),
        make_siglip("ViT-B-16-SigLIP-i18n-256", 256, 16, _B, 250000, _EXACT),
        *(make_siglip(f"ViT-L-16-SigLIP-{size}", size, 16, _L, 32000, _EXACT) for size in (256, 384)),
        make_siglip("ViT-SO400M-14-SigLIP", 224, 14, _SO, 32000, _EXACT, context=16),
        *(make_siglip(f"ViT-SO400M-14-SigLIP-{size}", size, 14, _SO, 32000, _EXACT) for size in (378, 384)),
        make_siglip("ViT-SO400M-16-SigLIP-i18n-256", 256, 16, _SO, 250000, ("gelu_tanh", "gelu"), projection=False),
        make_siglip("ViT-B-32-SigLIP2-256", 256, 32, _B, 256000, _TANH),
        make_siglip("ViT-B-16-SigLIP2", 224, 16, _B, 256000, _SECOND),
        *(make_siglip(f"ViT-B-16-SigLIP2-{size}", size, 16, _B, 256000, _SECOND) for size in (256, 384, 512)),
        *(make_siglip(f"ViT-L-16-SigLIP2-{size}", size, 16, _L, 256000, _SECOND) for size in (256, 384)),
        make_siglip("ViT-L-16-SigLIP2-512", 512, 16, _L, 256000, _TANH),
        make_siglip("ViT-SO400M-14-SigLIP2", 224, 14, _SO, 256000, _SECOND),
        make_siglip("ViT-SO400M-14-SigLIP2-378", 378, 14, _SO, 256000, _SECOND),
        *(make_siglip(f"ViT-SO400M-16-SigLIP2-{size}", size, 16, _SO, 256000, _TANH) for size in (256, 384, 512)),
        *(
            make_siglip(f"ViT-gopt-16-SigLIP2-{size}", size, 16, _GOPT, 256000, _TANH, text_tower=_SO)
            for size in (256, 384)
        ),
        # With text encoders of the Hugging Face hub.
        with_encoder(
            "roberta-ViT-B-32",
            make_clip("", 512, (224, 32, 768, 12, 12), (512, 12, 8), activation="quick_gelu"),
            "roberta-base",
        ),
        with_encoder(
            "xlm-roberta-base-ViT-B-32", make_clip("", 512, (224, 32, 768, 12, 12), (512, 12, 8)), "xlm-roberta-base"
        ),
        with_encoder("xlm-roberta-large-ViT-H-14", _LARGE[1], "xlm-roberta-large"),
        with_encoder("nllb-clip-base", make_clip("", 512, (224, 32, 768, 12, 12), (512, 12, 8)), _NLLB_600M, "nllb"),
        with_encoder("nllb-clip-large", _LARGE[1], _NLLB_1B, "nllb"),
        with_encoder("nllb-clip-base-siglip", make_siglip("", 384, 16, _B, 32000, _EXACT), _NLLB_600M, "nllb_siglip"),
        with_encoder("nllb-clip-large-siglip", make_siglip("", 384, 14, _SO, 32000, _EXACT), _NLLB_1B, "nllb_siglip"),
        make_biomed_clip(),
        make_chinese_clip(_CHINESE_CLIP + "base-patch16", 224, 512, (16, 768, 12, 12)),
        make_chinese_clip(_CHINESE_CLIP + "large-patch14", 224, 768, (14, 1024, 24, 16)),
        make_chinese_clip(_CHINESE_CLIP + "large-patch14-336px", 336, 768, (14, 1024, 24, 16)),
        # Small enough to train on a laptop's CPU; for tests, the quickstart and trying things out.
        make_clip("tiny", 64, (40, 8, 64, 3, 2), (64, 2, 2)),
        make_clip("small", 192, (64, 16, 192, 6, 3), (192, 4, 3)),
    )
}


def variant_names(name: str) -> tuple[str, ...]:
    """A preset's name and, for a CLIP, the name of its variant with QuickGELU."""
    families = ("clip", "metaclip2", "resnet")
    return (name, name + QUICKGELU_SUFFIX) if PRESETS[name].family in families else (name,)


def preset(name: str) -> CLIPConfig:
    """The architecture called `name`: open_clip's names, where for a CLIP the suffix "-quickgelu" swaps the activation.

    Raises:
        NegjaxError: If the name is unknown; the message lists the names.
    """
    base = name.removesuffix(QUICKGELU_SUFFIX)
    if base not in PRESETS or name not in variant_names(base):
        raise NegjaxError(
            f"unknown architecture {name!r}; choose one of {', '.join(PRESETS)} (CLIP's also with {QUICKGELU_SUFFIX})"
        )
    config = PRESETS[base]
    return config if base == name else dataclasses.replace(with_activation(config, "quick_gelu"), name=name)


def default_preprocess(config: CLIPConfig) -> Preprocess:
    """The preprocessing that such models are usually trained with, at the size of the architecture."""
    usual = _FAMILY_PREPROCESS.get(config.family, Preprocess())
    if config.name.removesuffix(QUICKGELU_SUFFIX) in _SQUASHED:
        usual = dataclasses.replace(usual, resize_mode="squash")
    return dataclasses.replace(usual, size=config.vision.image_size)
