"""Architectures of detectors by their names on the Hugging Face hub."""

from dataclasses import replace

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.detector import DetectorConfig, DetectorFamily
from negjax.tokenizers.clip import VOCAB_SIZE

_CONTEXT = 16  # tokens of a query


def _owl(name: str, family: DetectorFamily, image_size: int, patch_size: int, *, large: bool = False) -> DetectorConfig:
    vision = (1024, 24, 16, 4096) if large else (768, 12, 12, 3072)
    text = (768, 12, 12, 3072) if large else (512, 12, 8, 2048)
    clip = CLIPConfig(
        "custom",
        text[0],
        VisionConfig(image_size, patch_size, *vision, "quick_gelu"),
        TextConfig(_CONTEXT, VOCAB_SIZE, *text, "quick_gelu"),
        logit_scale_init=2.6592,
    )
    return DetectorConfig(name, family, clip)


DETECTORS = {
    config.name: config
    for config in (
        _owl("owlvit-base-patch32", "owlvit", 768, 32),
        _owl("owlvit-base-patch16", "owlvit", 768, 16),
        _owl("owlvit-large-patch14", "owlvit", 840, 14, large=True),
        _owl("owlv2-base-patch16", "owlv2", 960, 16),
        _owl("owlv2-large-patch14", "owlv2", 1008, 14, large=True),
    )
}


def with_known_name(config: DetectorConfig) -> DetectorConfig:
    """The same architecture under its preset's name, if there is one of exactly this form."""
    same = (known for known in DETECTORS.values() if replace(config, name=known.name) == known)
    return next(same, config)
