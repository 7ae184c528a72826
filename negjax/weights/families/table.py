"""The table of weight families: to add one, write its file and add a line here."""

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig
from negjax.weights.families.bert_text import CLIP_BERT_FAMILY, TIMM_BERT_FAMILY
from negjax.weights.families.chinese_clip import CHINESE_CLIP_FAMILY
from negjax.weights.families.clip import CLIP_FAMILY
from negjax.weights.families.clipa import CLIPA_FAMILY
from negjax.weights.families.coca import COCA_FAMILY, CONCH_FAMILY
from negjax.weights.families.convnext import CONVNEXT_FAMILY
from negjax.weights.families.eva import EVA02_FAMILY, EVA_FAMILY
from negjax.weights.families.family import WeightFamily, WeightFormat
from negjax.weights.families.metaclip2 import METACLIP2_FAMILY
from negjax.weights.families.mobileclip import MOBILECLIP_FAMILY, TIMM_CLIP_FAMILY
from negjax.weights.families.nllb import NLLB_FAMILY, NLLB_SIGLIP_FAMILY
from negjax.weights.families.pe_core import PE_CORE_FAMILY
from negjax.weights.families.resnet import RESNET_FAMILY
from negjax.weights.families.siglip import SIGLIP_FAMILY

FAMILIES: tuple[WeightFamily, ...] = (  # the first that matches a file counts: special cases before general ones
    NLLB_SIGLIP_FAMILY,
    NLLB_FAMILY,
    TIMM_BERT_FAMILY,
    CLIP_BERT_FAMILY,
    CONCH_FAMILY,
    COCA_FAMILY,
    CONVNEXT_FAMILY,
    PE_CORE_FAMILY,
    EVA02_FAMILY,
    EVA_FAMILY,
    MOBILECLIP_FAMILY,
    TIMM_CLIP_FAMILY,
    SIGLIP_FAMILY,
    RESNET_FAMILY,
    CLIPA_FAMILY,
    CHINESE_CLIP_FAMILY,
    METACLIP2_FAMILY,
    CLIP_FAMILY,
)


def family_of(config: CLIPConfig) -> WeightFamily:
    """The family of an architecture. Raises NegjaxError if the table does not have it."""
    for family in FAMILIES:
        if family.name == config.family:
            return family
    names = ", ".join(family.name for family in FAMILIES)
    raise NegjaxError(f"unknown family {config.family!r} of the architecture {config.name}; choose one of {names}")


def supported_models() -> str:
    """The models of all families, for errors."""
    return ", ".join(family.models for family in reversed(FAMILIES))


def all_formats() -> tuple[WeightFormat, ...]:
    """The formats of all families, each once, in the order in which they are looked for in a file."""
    formats = {format.name: format for family in FAMILIES for format in family.formats}
    return tuple(formats.values())
