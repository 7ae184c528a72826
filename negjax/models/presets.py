"""Named architectures, open_clip's and two small ones, and the usual preprocessing of each family.

The figures are those of open_clip's model configs (open_clip_torch 3.3.0); the image towers of its SigLIP models are
timm's (timm 1.0.31), as are those of `negjax.models.timm_towers`. BiomedCLIP is a model of open_clip's form on the
Hugging Face hub.
"""

import dataclasses
import math
from typing import cast

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import Activation, CLIPConfig, TextConfig, VisionConfig, with_activation
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.encoders import ENCODERS
from negjax.models.timm_towers import CONVNEXTS, PERCEPTION_ENCODERS

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
    "clipa": Preprocess(
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bilinear", resize_mode="squash"
    ),
}
# CLIPs whose published weights are all trained with another resize mode than their family's.
_SQUASHED = {"ViT-H-14-378", "ViT-H-14-worldwide-378", "ViT-bigG-14-worldwide-378"}


def _clip(
    name: str,
    embed_dim: int,
    vision: tuple[int, int, int, int, int],
    text: tuple[int, int, int],
    *,
    mlp_width: int = 0,
    vocab_size: int = 49408,
    end_token: int = 0,
    activation: Activation = "gelu",
) -> CLIPConfig:
    """A CLIP; MetaCLIP 2's and other worldwide ones have an end token of their own.

    vision: image size, patch size, width, depth, heads. text: width, depth, heads. mlp_width: of the image tower, 4 x
    width if 0. end_token: the token to pool at, for a vocabulary that is not CLIP's. activation: of the image tower.
    """
    width, text_width = vision[2], text[0]
    return CLIPConfig(
        name,
        embed_dim,
        VisionConfig(*vision, mlp_width or 4 * width, activation),
        TextConfig(
            77, vocab_size, *text, 4 * text_width, "gelu", pool="eos" if end_token else "argmax", end_token=end_token
        ),
        family="metaclip2" if end_token else "clip",
    )


def _clipa(base: CLIPConfig, image_size: int) -> CLIPConfig:
    """CLIPA's variant of a CLIP: patches averaged, no first norm, unmasked text tower over 32 WordPiece tokens."""
    assert isinstance(base.vision, VisionConfig)
    suffix = "" if image_size == 224 else f"-{image_size}"
    return dataclasses.replace(
        base,
        name=f"{base.name}-CLIPA{suffix}",
        family="clipa",
        vision=dataclasses.replace(
            base.vision, image_size=image_size, norm_pre=False, pool="average", norm_after_pool=True
        ),
        text=dataclasses.replace(
            cast(TextConfig, base.text), context_length=32, vocab_size=32000, causal=False, pool="last"
        ),
    )


def _coca(name: str, embed_dim: int, vision: tuple[int, int, int, int, int], text: tuple[int, int, int]) -> CLIPConfig:
    """The towers of a CoCa: CLIP's, with a learned query that pools the patches and a class token after the text."""
    base = _clip(name, embed_dim, vision, text)
    assert isinstance(base.vision, VisionConfig)
    assert isinstance(base.text, TextConfig)
    return dataclasses.replace(
        base,
        family="coca",
        vision=dataclasses.replace(base.vision, pool="cross_attention", norm_after_pool=True),
        text=dataclasses.replace(base.text, context_length=76, pool="class"),
    )


def _convnet(
    name: str, embed_dim: int, vision: ResNetConfig | ConvNeXtConfig, text: tuple[int, int, int]
) -> CLIPConfig:
    """A CLIP with a convolutional image tower. text: width, depth, heads."""
    text_tower = TextConfig(77, 49408, *text, 4 * text[0], "gelu")
    return CLIPConfig(name, embed_dim, vision, text_tower, family=vision.kind)


def _convnext(name: str, embed_dim: int, image_size: int, text: tuple[int, int, int]) -> CLIPConfig:
    """open_clip's ConvNeXt: the name is timm's, then what differs from it; "d" is for a projection of two layers."""
    _, size, *variant = name.split("_")
    tower = dataclasses.replace(
        CONVNEXTS[f"convnext_{size}"], image_size=image_size, projection="mlp" if "d" in variant else "linear"
    )
    return _convnet(name, embed_dim, tower, text)


def _pe_core(name: str, embed_dim: int, vision: str, context: int, depth: int) -> CLIPConfig:
    """Meta's PE-Core: a Perception Encoder by timm's name. context, depth: of a text tower as wide as the embedding."""
    text = TextConfig(context, 49408, embed_dim, depth, embed_dim // 64, 4 * embed_dim, "gelu")
    return CLIPConfig(name, embed_dim, PERCEPTION_ENCODERS[vision], text, family="pe_core")


def _siglip(
    name: str,
    image_size: int,
    patch: int,
    tower: tuple[int, int, int, int],
    vocab_size: int,
    activations: tuple[Activation, Activation],
    *,
    context: int = 64,
    text_tower: tuple[int, int, int, int] | None = None,
    projection: bool = True,
) -> CLIPConfig:
    """A SigLIP.

    tower: width, depth, heads, MLP width, of both towers unless there is a text_tower. activations: of the image and
    the text tower, as open_clip computes them.
    """
    return CLIPConfig(
        name,
        tower[0],
        VisionConfig(
            image_size,
            patch,
            *tower,
            activations[0],
            layer_norm_eps=1e-6,
            class_token=False,
            patch_bias=True,
            norm_pre=False,
            pool="attention",
            projection=False,
        ),
        TextConfig(
            context,
            vocab_size,
            *(text_tower or tower),
            activations[1],
            layer_norm_eps=1e-6,
            causal=False,
            pool="last",
            projection=projection,
            projection_bias=projection,
        ),
        logit_scale_init=math.log(10),
        logit_bias_init=-10.0,
        family="siglip",
    )


def _with_encoder(name: str, base: CLIPConfig, encoder: str, family: str = "clip_bert") -> CLIPConfig:
    """The model with a text encoder of the Hugging Face hub instead of its text tower."""
    return dataclasses.replace(base, name=name, family=family, text=ENCODERS[encoder])


def _biomed_clip() -> CLIPConfig:
    """BiomedCLIP (Zhang et al. 2023): timm's ViT-B/16 and PubMedBERT over 256 tokens."""
    vision = VisionConfig(224, 16, 768, 12, 12, 3072, "gelu", layer_norm_eps=1e-6, patch_bias=True, norm_pre=False)
    name = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    text = dataclasses.replace(ENCODERS[name], context_length=256, pool="first")
    return CLIPConfig("BiomedCLIP", 512, vision, text, family="timm_bert")


def _chinese_clip(name: str, image_size: int, embed_dim: int, vision: tuple[int, int, int, int]) -> CLIPConfig:
    """Chinese-CLIP (Yang et al. 2022). vision: patch size, width, depth, heads."""
    base = _clip(name, embed_dim, (image_size, *vision), (512, 12, 8), activation="quick_gelu")
    bert = ENCODERS["bert-base-chinese"]
    text = dataclasses.replace(bert, context_length=512, mask="tail", pool="first", projection="linear")
    return dataclasses.replace(base, text=text, family="chinese_clip")


_B, _L, _SO, _GOPT = (768, 12, 12, 3072), (1024, 24, 16, 4096), (1152, 27, 16, 4304), (1536, 40, 16, 6144)
_EXACT: tuple[Activation, Activation] = ("gelu", "gelu")
_SECOND: tuple[Activation, Activation] = ("gelu", "gelu_tanh")
_TANH: tuple[Activation, Activation] = ("gelu_tanh", "gelu_tanh")
_NLLB_600M, _NLLB_1B = "facebook/nllb-200-distilled-600M", "facebook/nllb-200-distilled-1.3B"
_H_TEXT, _BIG_TEXT = (1024, 24, 16), (1280, 32, 20)
_LARGE = (
    _clip("ViT-L-14", 768, (224, 14, 1024, 24, 16), (768, 12, 12)),
    _clip("ViT-H-14", 1024, (224, 14, 1280, 32, 16), _H_TEXT),
    _clip("ViT-bigG-14", 1280, (224, 14, 1664, 48, 16), _BIG_TEXT, mlp_width=8192),
)
PRESETS: dict[str, CLIPConfig] = {
    preset.name: preset
    for preset in (
        _clip("ViT-B-32", 512, (224, 32, 768, 12, 12), (512, 12, 8)),
        _clip("ViT-B-32-256", 512, (256, 32, 768, 12, 12), (512, 12, 8)),
        _clip("ViT-B-32-plus-256", 640, (256, 32, 896, 12, 14), (640, 12, 10)),
        _clip("ViT-B-16", 512, (224, 16, 768, 12, 12), (512, 12, 8)),
        _clip("ViT-B-16-plus", 640, (224, 16, 896, 12, 14), (640, 12, 10)),
        _clip("ViT-B-16-plus-240", 640, (240, 16, 896, 12, 14), (640, 12, 10)),
        _clip("ViT-S-32", 384, (224, 32, 384, 12, 6), (384, 12, 6)),
        _clip("ViT-S-32-alt", 256, (224, 32, 384, 12, 6), (256, 10, 4)),
        _clip("ViT-S-16", 384, (224, 16, 384, 12, 6), (384, 12, 6)),
        _clip("ViT-S-16-alt", 256, (224, 16, 384, 12, 6), (256, 10, 4)),
        _clip("ViT-M-32", 512, (224, 32, 512, 12, 8), (512, 12, 8)),
        _clip("ViT-M-32-alt", 384, (224, 32, 512, 12, 8), (384, 12, 6)),
        _clip("ViT-M-16", 512, (224, 16, 512, 12, 8), (512, 12, 8)),
        _clip("ViT-L-16", 768, (224, 16, 1024, 24, 16), (768, 12, 12)),
        _clip("ViT-L-16-320", 768, (320, 16, 1024, 24, 16), (768, 12, 12)),
        *_LARGE,
        _clip("ViT-L-14-280", 768, (280, 14, 1024, 24, 16), (768, 12, 12)),
        _clip("ViT-L-14-336", 768, (336, 14, 1024, 24, 16), (768, 12, 12)),
        _clip("ViT-H-14-378", 1024, (378, 14, 1280, 32, 16), _H_TEXT),
        _clip("ViT-H-16", 1024, (224, 16, 1280, 32, 16), _H_TEXT),
        _clip("ViT-g-14", 1024, (224, 14, 1408, 40, 16), _H_TEXT, mlp_width=6144),
        _clip("ViT-e-14", 1280, (224, 14, 1792, 56, 16), (1280, 36, 20), mlp_width=15360),
        *(_clipa(base, size) for base in _LARGE for size in (224, 336)),
        _clip("ViT-L-14-worldwide", 768, (224, 14, 1024, 24, 16), (768, 12, 12), vocab_size=250100, end_token=1),
        *(
            _clip(f"ViT-H-14-worldwide{tag}", 1024, (size, 14, 1280, 32, 16), _H_TEXT, vocab_size=901629, end_token=2)
            for tag, size in (("", 224), ("-378", 378))
        ),
        *(
            _clip(
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
        _convnet("RN50", 1024, ResNetConfig(224, 64, (3, 4, 6, 3), 32), (512, 12, 8)),
        _convnet("RN101", 512, ResNetConfig(224, 64, (3, 4, 23, 3), 32), (512, 12, 8)),
        _convnet("RN50x4", 640, ResNetConfig(288, 80, (4, 6, 10, 6), 40), (640, 12, 10)),
        _convnet("RN50x16", 768, ResNetConfig(384, 96, (6, 8, 18, 8), 48), (768, 12, 12)),
        _convnet("RN50x64", 1024, ResNetConfig(448, 128, (3, 15, 36, 10), 64), (1024, 12, 16)),
        _convnext("convnext_tiny", 1024, 224, (512, 12, 8)),
        _convnext("convnext_small", 512, 224, (512, 12, 8)),
        _convnext("convnext_base", 512, 224, (512, 12, 8)),
        _convnext("convnext_base_w", 640, 256, (640, 12, 10)),
        _convnext("convnext_base_w_320", 640, 320, (640, 12, 10)),
        _convnext("convnext_large", 768, 224, (768, 12, 12)),
        _convnext("convnext_large_d", 768, 256, (768, 16, 12)),
        _convnext("convnext_large_d_320", 768, 320, (768, 16, 12)),
        _convnext("convnext_xlarge", 1024, 256, (1024, 20, 16)),
        _convnext("convnext_xxlarge", 1024, 256, (1024, 24, 16)),
        _convnext("convnext_xxlarge_320", 1024, 320, (1024, 24, 16)),
        _coca("coca_ViT-B-32", 512, (224, 32, 768, 12, 12), (512, 12, 8)),
        _coca("coca_ViT-L-14", 768, (224, 14, 1024, 24, 16), (768, 12, 12)),
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
        _pe_core("PE-Core-T-16-384", 512, "vit_pe_core_tiny_patch16_384", 32, 12),
        _pe_core("PE-Core-S-16-384", 512, "vit_pe_core_small_patch16_384", 32, 12),
        _pe_core("PE-Core-B-16", 1024, "vit_pe_core_base_patch16_224", 32, 24),
        _pe_core("PE-Core-L-14-336", 1024, "vit_pe_core_large_patch14_336", 32, 24),
        _pe_core("PE-Core-bigG-14-448", 1280, "vit_pe_core_gigantic_patch14_448", 72, 24),
        # SigLIP, and its second version, which differs in vocabulary and activation.
        _siglip("ViT-B-16-SigLIP", 224, 16, _B, 32000, _EXACT),
        *(_siglip(f"ViT-B-16-SigLIP-{size}", size, 16, _B, 32000, _EXACT) for size in (256, 384, 512)),
        _siglip("ViT-B-16-SigLIP-i18n-256", 256, 16, _B, 250000, _EXACT),
        *(_siglip(f"ViT-L-16-SigLIP-{size}", size, 16, _L, 32000, _EXACT) for size in (256, 384)),
        _siglip("ViT-SO400M-14-SigLIP", 224, 14, _SO, 32000, _EXACT, context=16),
        *(_siglip(f"ViT-SO400M-14-SigLIP-{size}", size, 14, _SO, 32000, _EXACT) for size in (378, 384)),
        _siglip("ViT-SO400M-16-SigLIP-i18n-256", 256, 16, _SO, 250000, ("gelu_tanh", "gelu"), projection=False),
        _siglip("ViT-B-32-SigLIP2-256", 256, 32, _B, 256000, _TANH),
        _siglip("ViT-B-16-SigLIP2", 224, 16, _B, 256000, _SECOND),
        *(_siglip(f"ViT-B-16-SigLIP2-{size}", size, 16, _B, 256000, _SECOND) for size in (256, 384, 512)),
        *(_siglip(f"ViT-L-16-SigLIP2-{size}", size, 16, _L, 256000, _SECOND) for size in (256, 384)),
        _siglip("ViT-L-16-SigLIP2-512", 512, 16, _L, 256000, _TANH),
        _siglip("ViT-SO400M-14-SigLIP2", 224, 14, _SO, 256000, _SECOND),
        _siglip("ViT-SO400M-14-SigLIP2-378", 378, 14, _SO, 256000, _SECOND),
        *(_siglip(f"ViT-SO400M-16-SigLIP2-{size}", size, 16, _SO, 256000, _TANH) for size in (256, 384, 512)),
        *(
            _siglip(f"ViT-gopt-16-SigLIP2-{size}", size, 16, _GOPT, 256000, _TANH, text_tower=_SO)
            for size in (256, 384)
        ),
        # With text encoders of the Hugging Face hub.
        _with_encoder(
            "roberta-ViT-B-32",
            _clip("", 512, (224, 32, 768, 12, 12), (512, 12, 8), activation="quick_gelu"),
            "roberta-base",
        ),
        _with_encoder(
            "xlm-roberta-base-ViT-B-32", _clip("", 512, (224, 32, 768, 12, 12), (512, 12, 8)), "xlm-roberta-base"
        ),
        _with_encoder("xlm-roberta-large-ViT-H-14", _LARGE[1], "xlm-roberta-large"),
        _with_encoder("nllb-clip-base", _clip("", 512, (224, 32, 768, 12, 12), (512, 12, 8)), _NLLB_600M, "nllb"),
        _with_encoder("nllb-clip-large", _LARGE[1], _NLLB_1B, "nllb"),
        _with_encoder("nllb-clip-base-siglip", _siglip("", 384, 16, _B, 32000, _EXACT), _NLLB_600M, "nllb_siglip"),
        _with_encoder("nllb-clip-large-siglip", _siglip("", 384, 14, _SO, 32000, _EXACT), _NLLB_1B, "nllb_siglip"),
        _biomed_clip(),
        _chinese_clip(_CHINESE_CLIP + "base-patch16", 224, 512, (16, 768, 12, 12)),
        _chinese_clip(_CHINESE_CLIP + "large-patch14", 224, 768, (14, 1024, 24, 16)),
        _chinese_clip(_CHINESE_CLIP + "large-patch14-336px", 336, 768, (14, 1024, 24, 16)),
        # Small enough to train on a laptop's CPU; for tests, the quickstart and trying things out.
        _clip("tiny", 64, (40, 8, 64, 3, 2), (64, 2, 2)),
        _clip("small", 192, (64, 16, 192, 6, 3), (192, 4, 3)),
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
