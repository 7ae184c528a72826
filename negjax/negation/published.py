"""The constants of each method for each family of models, and where they come from: properties of a model, never magic.

Constants that hold for one family's cosines are wrong for another's: CLIP's cosines of an image and its caption lie
near .3, SigLIP's near .1. `negjax calibrate` fits them to a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Constant = float | bool


@dataclass(frozen=True)
class PublishedConstants:
    """Constants of a method, and their source."""

    constants: Mapping[str, Constant]
    source: str


# Method -> family, a `CLIPConfig.family` -> constants. "clip" also serves the families that have no line.
PUBLISHED_CONSTANTS = {
    "context": {
        "clip": PublishedConstants(
            {"weight": 0.35, "alone": 1.4, "spread": 0.5}, "fitted to the quickstart's pre-trained model on its scenes"
        ),
    },
    "subtract": {
        "clip": PublishedConstants({"weight": 0.5}, "a default in the middle of what products use, .1 to 1"),
    },
    "space": {
        "clip": PublishedConstants({"threshold": 0.92}, "published for CLIP ViT-B/32 (arXiv 2511.12331)"),
    },
    "projection": {
        "clip": PublishedConstants(
            {"strength": 1.9, "anchor": 1.0, "cue": False}, "published for CLIP ViT-B/32 (OpenReview Dd86hsSam5)"
        ),
    },
    "deo": {
        "clip": PublishedConstants(
            {"toward": 1.0, "away": 1.0, "stay": 1.0}, "published for image search with any model (arXiv 2603.09185)"
        ),
    },
    "steering": {
        "clip": PublishedConstants({"strength": 0.13}, "published for CLIP (arXiv 2603.20554)"),
    },
    "lcse": {
        "clip": PublishedConstants(
            {"midpoint": 0.22, "slope": 30.0, "lists": False}, "published for CLIP ViT-B/32 (arXiv 2607.23052)"
        ),
        "siglip": PublishedConstants(
            {"midpoint": 0.05, "slope": 30.0, "lists": False}, "published for SigLIP 2 B/32-256 (arXiv 2607.23052)"
        ),
    },
}


def published_constants(method: str, family: str) -> PublishedConstants:
    """The constants of a method for a family; the source says so where they are those of CLIP instead.

    Args:
        method: a key of PUBLISHED_CONSTANTS.
        family: of the model, `CLIPConfig.family`.
    """
    by_family = PUBLISHED_CONSTANTS[method]
    if family in by_family:
        return by_family[family]
    clip = by_family["clip"]
    return PublishedConstants(clip.constants, f"{clip.source}; none are known for the family {family}")
