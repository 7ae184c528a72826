"""Architectures of a family from the sizes in which its models differ; `negjax.models.presets` lists them by name."""

import dataclasses
import math
from typing import cast

from negjax.models.architecture import Activation, CLIPConfig, TextConfig, VisionConfig
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.encoders import ENCODERS
from negjax.models.timm_towers import CLIP_VITS, CONVNEXTS, EVAS, HYBRIDS, PERCEPTION_ENCODERS


def make_clip(
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


def make_clipa(base: CLIPConfig, image_size: int) -> CLIPConfig:
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


def make_coca(
    name: str, embed_dim: int, vision: tuple[int, int, int, int, int], text: tuple[int, int, int]
) -> CLIPConfig:
    """The towers of a CoCa: CLIP's, with a learned query that pools the patches and a class token after the text."""
    base = make_clip(name, embed_dim, vision, text)
    assert isinstance(base.vision, VisionConfig)
    assert isinstance(base.text, TextConfig)
    return dataclasses.replace(
        base,
        family="coca",
        vision=dataclasses.replace(base.vision, pool="cross_attention", norm_after_pool=True),
        text=dataclasses.replace(base.text, context_length=76, pool="class"),
    )


def make_convnet(
    name: str, embed_dim: int, vision: ResNetConfig | ConvNeXtConfig, text: tuple[int, int, int]
) -> CLIPConfig:
    """A CLIP with a convolutional image tower. text: width, depth, heads."""
    text_tower = TextConfig(77, 49408, *text, 4 * text[0], "gelu")
    return CLIPConfig(name, embed_dim, vision, text_tower, family=vision.kind)


def make_convnext(name: str, embed_dim: int, image_size: int, text: tuple[int, int, int]) -> CLIPConfig:
    """open_clip's ConvNeXt: the name is timm's, then what differs from it; "d" is for a projection of two layers."""
    _, size, *variant = name.split("_")
    tower = dataclasses.replace(
        CONVNEXTS[f"convnext_{size}"], image_size=image_size, projection="mlp" if "d" in variant else "linear"
    )
    return make_convnet(name, embed_dim, tower, text)


def make_pe_core(name: str, embed_dim: int, vision: str, context: int, depth: int) -> CLIPConfig:
    """Meta's PE-Core: a Perception Encoder by timm's name. context, depth: of a text tower as wide as the embedding."""
    text = TextConfig(context, 49408, embed_dim, depth, embed_dim // 64, 4 * embed_dim, "gelu")
    return CLIPConfig(name, embed_dim, PERCEPTION_ENCODERS[vision], text, family="pe_core")


def make_eva(name: str, embed_dim: int, vision: str, text: tuple[int, int, int]) -> CLIPConfig:
    """EVA-CLIP: an image tower by timm's name, and CLIP's text tower. text: width, depth, heads."""
    tower = EVAS[vision]
    family = "eva02" if tower.block == "sub_norm" else "eva"
    return CLIPConfig(name, embed_dim, tower, TextConfig(77, 49408, *text, 4 * text[0], "gelu"), family=family)


def make_mobileclip(name: str, embed_dim: int, vision: str, *, causal: bool = True) -> CLIPConfig:
    """MobileCLIP, whose image tower is a vision transformer: by timm's name. causal: whether the text tower is."""
    family, tower = ("mobileclip", HYBRIDS[vision]) if vision in HYBRIDS else ("timm_clip", CLIP_VITS[vision])
    text = TextConfig(77, 49408, embed_dim, 12, embed_dim // 64, 4 * embed_dim, "gelu", causal=causal)
    return CLIPConfig(name, embed_dim, tower, text, family=family)


def make_siglip(
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


def with_encoder(name: str, base: CLIPConfig, encoder: str, family: str = "clip_bert") -> CLIPConfig:
    """The model with a text encoder of the Hugging Face hub instead of its text tower."""
    return dataclasses.replace(base, name=name, family=family, text=ENCODERS[encoder])


def make_biomed_clip() -> CLIPConfig:
    """BiomedCLIP (Zhang et al. 2023): timm's ViT-B/16 and PubMedBERT over 256 tokens."""
    vision = VisionConfig(224, 16, 768, 12, 12, 3072, "gelu", layer_norm_eps=1e-6, patch_bias=True, norm_pre=False)
    name = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    text = dataclasses.replace(ENCODERS[name], context_length=256, pool="first")
    return CLIPConfig("BiomedCLIP", 512, vision, text, family="timm_bert")


def make_chinese_clip(name: str, image_size: int, embed_dim: int, vision: tuple[int, int, int, int]) -> CLIPConfig:
    """Chinese-CLIP (Yang et al. 2022). vision: patch size, width, depth, heads."""
    base = make_clip(name, embed_dim, (image_size, *vision), (512, 12, 8), activation="quick_gelu")
    bert = ENCODERS["bert-base-chinese"]
    text = dataclasses.replace(bert, context_length=512, mask="tail", pool="first", projection="linear")
    return dataclasses.replace(base, text=text, family="chinese_clip")
