"""What a conversion changes about a model's inputs is told in one line.

That the libraries do differ so is held by tests/parity; here, that every field which their files cannot hold is told.
"""

import dataclasses
import json
import logging

import pytest

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.clip import abstract_params
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess, preset
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.convert import convert
from negjax.weights.read import read_model
from negjax.weights.write import write_hf, write_negjax, write_open_clip

CLIP = CLIPConfig("custom", 8, VisionConfig(16, 8, 8, 1, 2, 12, "gelu"), TextConfig(16, VOCAB_SIZE, 4, 1, 2, 8, "gelu"))
BY_TRANSFORMERS = Preprocess(16, rgb_first=True, crop_rounding="down")
RGB, CROP = "(palettes, 1-bit and transparent images)", "(images with an odd margin around the crop)"
WORDS = {"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "</s>": 1}, "unk_token": "<unk>"}}
TOKENIZER = json.dumps(WORDS)
TEMPLATE = {"single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]}
TEMPLATE |= {"pair": [], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}}
ENDING = json.dumps(WORDS | {"post_processor": {"type": "TemplateProcessing", **TEMPLATE}})


def clip(preprocess: Preprocess, tokenizer=None) -> LoadedModel:
    return LoadedModel(CLIP, init_params(CLIP, 0), preprocess, tokenizer or Tokenizer(16))


def siglip(clean: str) -> LoadedModel:
    base = preset("ViT-B-16-SigLIP")
    sizes = {"width": 12, "depth": 1, "heads": 2, "mlp_width": 20}
    text = dataclasses.replace(base.text, **sizes, vocab_size=2, context_length=4)
    vision = dataclasses.replace(base.vision, **sizes, image_size=32)
    config = dataclasses.replace(base, name="custom", embed_dim=12, vision=vision, text=text)
    preprocess = dataclasses.replace(default_preprocess(config), rgb_first=clean.startswith("siglip"))
    return LoadedModel(config, init_params(config, 0), preprocess, HFTokenizer(TOKENIZER, 4, clean=clean))


def worldwide(clean: str) -> LoadedModel:
    """A CLIP with a tokenizer of its own, whose end token is 1."""
    text = dataclasses.replace(CLIP.text, vocab_size=2, pool="eos", end_token=1)
    config = dataclasses.replace(CLIP, text=text, family="metaclip2")
    return LoadedModel(config, init_params(config, 0), Preprocess(16), HFTokenizer(ENDING, 16, clean=clean))


def told(caplog, write, model, dst) -> str:
    """What one conversion tells."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        write(model, dst)
    return "\n".join(record.getMessage() for record in caplog.records)


def test_clip_from_transformers_to_open_clip_and_back(tmp_path, caplog):
    there = tmp_path / "open_clip"
    assert told(caplog, write_open_clip, clip(BY_TRANSFORMERS), there) == (
        f"{there}: open_clip prepares inputs in another way than this model: rgb_first is False instead of True {RGB}; "
        f"crop_rounding is even instead of down {CROP}"
    )
    read = read_model(there)
    assert read.preprocess == Preprocess(16)
    assert told(caplog, write_hf, read, tmp_path / "hf") == (
        f"{tmp_path / 'hf'}: transformers prepares inputs in another way than this model: rgb_first is True instead of "
        f"False {RGB}; crop_rounding is down instead of even {CROP}; "
        "typographic quotes, HTML entities and wrong encodings in texts are not repaired"
    )
    assert read_model(tmp_path / "hf").preprocess == BY_TRANSFORMERS


def test_nothing_is_told_where_nothing_changes(tmp_path, caplog):
    every_other_field = Preprocess(16, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bilinear", "longest")
    assert told(caplog, write_open_clip, clip(Preprocess(16)), tmp_path / "usual") == ""
    assert told(caplog, write_open_clip, clip(every_other_field), tmp_path / "other") == ""
    assert read_model(tmp_path / "other").preprocess == every_other_field
    assert told(caplog, write_negjax, clip(BY_TRANSFORMERS), tmp_path / "ours") == ""
    assert told(caplog, write_open_clip, worldwide("canonicalize"), tmp_path / "worldwide") == ""
    assert told(caplog, write_open_clip, worldwide("lower+siglip"), tmp_path / "both") == ""
    assert told(caplog, write_hf, siglip("siglip"), tmp_path / "hf") == ""


def test_transformers_gets_other_fields_whole(tmp_path, caplog):
    preprocess = Preprocess(16, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "lanczos", "squash", True, 20, "down")
    message = told(caplog, write_hf, clip(preprocess), tmp_path / "hf")
    assert message.endswith(
        "than this model: typographic quotes, HTML entities and wrong encodings in texts are not repaired"
    )
    assert read_model(tmp_path / "hf").preprocess == preprocess


def test_cleaning_of_texts(tmp_path, caplog):
    """open_clip always cleans texts by one of its own ways first; transformers does not have ftfy."""
    message = told(caplog, write_open_clip, worldwide(""), tmp_path / "open_clip")
    assert "than this model: the cleaning of texts is whitespace instead of none (typographic quotes" in message
    message = told(caplog, write_open_clip, worldwide("siglip"), tmp_path / "both")
    assert "than this model: the cleaning of texts is whitespace+siglip instead of siglip (" in message
    message = told(caplog, write_hf, siglip("canonicalize"), tmp_path / "hf")  # whose images are not cropped
    assert message.endswith(
        f"model: rgb_first is True instead of False {RGB}; wrong encodings in texts are not repaired"
    )


def test_a_single_file_of_open_clip(tmp_path, caplog):
    """By a name open_clip lower-cases texts, whatever the config beside the file says."""
    config = dataclasses.replace(preset("ViT-B-32"), name="custom")
    write_negjax(clip(BY_TRANSFORMERS), tmp_path / "ours")
    convert(tmp_path / "ours", tmp_path / "folder", "open_clip")
    assert "rgb_first is False instead of True" in caplog.text
    cased = LoadedModel(config, abstract_params(config), Preprocess(224), Tokenizer(77, "whitespace"))
    with pytest.raises(
        NegjaxError, match="open_clip has no name for the preprocessing and the tokenizer of this model"
    ):
        write_open_clip(cased, tmp_path / "b32.safetensors")


def test_a_separator_that_is_replaced(tmp_path):
    config = dataclasses.replace(CLIP, text=dataclasses.replace(CLIP.text, vocab_size=2))
    tokenizer = HFTokenizer(TOKENIZER, 16, clean="", strip_id=1)
    with pytest.raises(NegjaxError, match=r"keep the separator, .* \(strip_sep_token\): use --to open_clip"):
        write_hf(LoadedModel(config, init_params(config, 0), Preprocess(16), tokenizer), tmp_path / "hf")
    assert not (tmp_path / "hf").exists()
