"""Small models of further families than CLIP and SigLIP, in the folders of their libraries, without PyTorch."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.convnets import ConvNeXtConfig
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess
from negjax.models.timm_towers import CONVNEXTS, PERCEPTION_ENCODERS, perception_encoder
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.write import write_hf, write_open_clip

VISION = VisionConfig(16, 8, 12, 1, 2, 20, "gelu")
TEXT = TextConfig(6, VOCAB_SIZE, 12, 1, 2, 20, "gelu")
BERT = TextEncoderConfig(6, 12, 12, 1, 2, 20, max_positions=9)
ROBERTA = dataclasses.replace(BERT, positions="count", pad_id=1, token_types=1, layer_norm_eps=1e-5)
NLLB = dataclasses.replace(
    ROBERTA, activation="relu", positions="waves", token_types=0, norm_first=True, scale_tokens=True, pool="first"
)
CLASS_TEXT = dataclasses.replace(TEXT, pool="class")
COCA_VISION = dataclasses.replace(VISION, pool="cross_attention", norm_after_pool=True, pool_heads=2)
# Small towers under names that timm does not have.
CONVNEXTS["convnext_for_fuzz"] = ConvNeXtConfig(224, (4, 8, 8, 8), (1, 1, 1, 1))
PERCEPTION_ENCODERS["vit_pe_core_for_fuzz"] = perception_encoder(16, 8, 16, 1, 2)
CONVNEXT = dataclasses.replace(CONVNEXTS["convnext_for_fuzz"], image_size=32)

# Family -> its towers, and whether its folder is that of transformers.
FAMILIES: dict[str, tuple[Any, Any, bool]] = {
    "clip_bert": (VISION, ROBERTA, False),
    "nllb": (VISION, NLLB, False),
    "coca": (COCA_VISION, CLASS_TEXT, False),
    "convnext": (CONVNEXT, TEXT, False),
    "pe_core": (PERCEPTION_ENCODERS["vit_pe_core_for_fuzz"], TEXT, False),
    "chinese_clip": (
        VISION,
        dataclasses.replace(BERT, context_length=9, mask="tail", pool="first", projection="linear"),
        True,
    ),
}


def maker(family: str, tokenizer: str) -> Callable[[Path], None]:
    """Writes a folder of this family. tokenizer: a tokenizer.json of 12 tokens, for those without CLIP's."""
    vision, text, hf = FAMILIES[family]

    def make(folder: Path) -> None:
        config = CLIPConfig("custom", 12, vision, text, family=family)
        own = text.vocab_size == VOCAB_SIZE
        words = Tokenizer(text.context_length) if own else HFTokenizer(tokenizer, text.context_length)
        model = LoadedModel(config, init_params(config, 0), default_preprocess(config), words)
        (write_hf if hf else write_open_clip)(model, folder)
        if hf:
            _add_processor(folder)

    return make


def _add_processor(folder: Path) -> None:
    """Image settings as transformers 5 writes them, beside those of older versions."""
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings |= {"data_format": "channels_first", "default_to_square": False, "device": None, "do_pad": None}
    (folder / "processor_config.json").write_text(
        json.dumps({"image_processor": settings, "processor_class": "CLIPProcessor"})
    )
