"""One value of a foreign config changed to another kind of value: the model is read, or one line says what is wrong.

The folders have the files and keys that transformers and open_clip write.
"""

import json
import math
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import config_folders
from support.json_changes import changes, with_change

from negjax.errors import MALFORMED_CONTENT, NegjaxError
from negjax.media.images import to_pixels
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.encoder_inputs import check_pixels, check_tokens
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel, from_meta, to_meta
from negjax.models.presets import default_preprocess
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.read import read_model
from negjax.weights.write import write_hf, write_open_clip

VISION, TEXT = VisionConfig(16, 8, 12, 1, 2, 20, "gelu"), TextConfig(6, VOCAB_SIZE, 12, 1, 2, 20, "gelu")
SIGLIP_VISION = VisionConfig(
    16,
    8,
    12,
    1,
    2,
    20,
    "gelu_tanh",
    1e-6,
    class_token=False,
    patch_bias=True,
    norm_pre=False,
    pool="attention",
    projection=False,
)
SIGLIP_TEXT = TextConfig(6, 12, 12, 1, 2, 20, "gelu_tanh", 1e-6, causal=False, pool="last", projection_bias=True)
PIECES = ["<pad>", "</s>", "<unk>", "▁", "▁a", "▁no", "▁dog", "s", "▁cat", "t"]
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [
        {
            "id": i,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, token in enumerate(PIECES[:3])
    ],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
    },
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    "model": {
        "type": "Unigram",
        "unk_id": 2,
        "vocab": [[piece, -float(len(piece) < 3)] for piece in PIECES],
        "byte_fallback": False,
    },
}
TEXTS = ["A dog, no cats", ""]
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 21, 3), np.uint8))


def model_of(config: CLIPConfig, tokenizer: Any) -> LoadedModel:
    return LoadedModel(config, init_params(config, 0), default_preprocess(config), tokenizer)


def siglip(name: str = "siglip") -> LoadedModel:
    config = CLIPConfig("custom", 12, SIGLIP_VISION, SIGLIP_TEXT, 2.0, -10.0, name)
    return model_of(config, HFTokenizer(json.dumps(TOKENIZER), 6, clean="canonicalize"))


def hf_clip(folder: Path) -> None:
    write_hf(model_of(CLIPConfig("custom", 12, VISION, TEXT), Tokenizer(6)), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"transformers_version": "4.30.0", "logit_scale_init_value": 2.6592, "initializer_factor": 1.0}
    for tower in ("text_config", "vision_config"):
        config[tower] |= {"attention_dropout": 0.0, "dropout": 0.0, "initializer_range": 0.02, "num_channels": 3}
        config[f"{tower}_dict"] = dict(config[tower])
    (folder / "config.json").write_text(json.dumps(config))


def hf_siglip(folder: Path) -> None:
    write_hf(siglip(), folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {
        "clean_up_tokenization_spaces": True,
        "do_lower_case": True,
        "eos_token": "</s>",
        "sp_model_kwargs": {},
    }
    settings["added_tokens_decoder"] = {"1": {"content": "</s>", "lstrip": True, "special": True}}
    settings["pad_token"] = {"content": "</s>", "lstrip": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "SiglipTokenizer"}))


def open_clip(folder: Path) -> None:
    text = TextConfig(6, 12, 12, 1, 2, 20, "gelu", pool="eos", end_token=1)
    tokenizer = HFTokenizer(json.dumps(TOKENIZER), 6, clean="canonicalize", strip_id=2)
    write_open_clip(model_of(CLIPConfig("custom", 12, VISION, text), tokenizer), folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    for tower in ("vision_cfg", "text_cfg"):
        config["model_cfg"][tower] |= {"norm_kwargs": {"eps": 1e-5}, "act_kwargs": {"approximate": "none"}}
    config["model_cfg"] |= {"init_logit_scale": 2.6, "custom_text": True, "init_logit_bias": None}
    config["model_cfg"]["vision_cfg"] |= {"ls_init_value": None, "patch_dropout": 0.0, "attentional_pool": False}
    (folder / "open_clip_config.json").write_text(json.dumps(config))


FIRST_FOLDERS = {"transformers' CLIP": hf_clip, "transformers' SigLIP": hf_siglip, "open_clip": open_clip}
OTHER_FOLDERS = {family: config_folders.maker(family, json.dumps(TOKENIZER)) for family in config_folders.FAMILIES}
FOLDERS = FIRST_FOLDERS | OTHER_FOLDERS
CONFIGS = ("config.json", "preprocessor_config.json", "processor_config.json", "open_clip_config.json")
FILES = (*CONFIGS, "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json")


def described(model: LoadedModel) -> tuple[Any, ...]:
    """What decides the numbers of a model; it prepares an image and texts as far as the encoders."""
    pixels = check_pixels(to_pixels(IMAGE, model.preprocess)[None], model.config.vision.image_size)
    ids = check_tokens(model.tokenizer(TEXTS), model.config.text)
    return model.config, model.preprocess, np.asarray(pixels).tobytes(), np.asarray(ids).tolist()


def outcomes(
    name: str, root: Path, share: float, files: tuple[str, ...] = FILES
) -> Iterator[tuple[str, Any, Any, Any]]:
    """(file, path, value, outcome) of a share of all changes of a folder.

    The outcome is an exception, None for a NegjaxError of one line that names the folder, "same", or what now decides
    the numbers.
    """
    folder, rng = root / "folder", random.Random(0)
    FOLDERS[name](folder)
    first = described(read_model(folder))
    for file in files:
        if not (folder / file).exists():
            continue
        text = (folder / file).read_text()
        for path, value in changes(json.loads(text)):
            if rng.random() >= share:
                continue
            (folder / file).write_text(json.dumps(with_change(json.loads(text), path, value)))
            yield file, path, value, outcome_of(lambda: read_model(folder), first, str(folder))
        (folder / file).write_text(text)


def outcome_of(read: Any, first: tuple[Any, ...], where: str = "") -> Any:
    try:
        now = described(read())
    except NegjaxError as error:
        return None if "\n" not in str(error) and where in str(error) else error
    except BaseException as error:  # a panic of the tokenizers library is no Exception
        return error
    return "same" if now == first else now


def faults(name: str, root: Path, share: float, files: tuple[str, ...] = FILES) -> list[str]:
    """The changes that neither are named in one line nor leave a model that can be used."""
    return [
        f"{file} {'.'.join(map(str, path))} = {value!r}: {type(outcome).__name__} {outcome}"
        for file, path, value, outcome in outcomes(name, root, share, files)
        if isinstance(outcome, BaseException)
    ]


@pytest.mark.parametrize("name", FIRST_FOLDERS)
def test_a_changed_value_is_named_or_harmless(name, tmp_path):
    """A fixed sample, of which the slow test below makes a larger one."""
    assert not faults(name, tmp_path, 0.01)


@pytest.mark.parametrize("name", OTHER_FOLDERS)
def test_a_changed_value_of_other_families_is_named_or_harmless(name, tmp_path):
    assert not faults(name, tmp_path, 0.003, CONFIGS)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST_FOLDERS)
def test_many_changed_values_are_named_or_harmless(name, tmp_path):
    """A share of 1.0 makes all 5,600 changes, in seven minutes."""
    before = getrusage(RUSAGE_SELF).ru_maxrss
    assert not faults(name, tmp_path, 0.2)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


@pytest.mark.parametrize(
    ("folder", "file", "path", "value", "message"),
    [
        ("transformers' CLIP", "config.json", ("text_config", "num_hidden_layers"), 10**9, "from 1 to 256"),
        ("transformers' CLIP", "config.json", ("vision_config", "hidden_size"), 8.5, "of at least 1"),
        ("transformers' CLIP", "config.json", ("vision_config", "layer_norm_eps"), math.nan, "a finite number"),
        ("transformers' CLIP", "config.json", ("text_config",), "x", "an object"),
        ("transformers' SigLIP", "tokenizer_config.json", ("do_lower_case",), 0, "true or false"),
        ("transformers' SigLIP", "tokenizer_config.json", ("padding_side",), "top", "right or left"),
        ("transformers' SigLIP", "tokenizer.json", ("added_tokens", 0), [], "a list of objects"),
        ("transformers' SigLIP", "tokenizer.json", ("decoder", "type"), 0, "cannot read the decoder of"),
        ("transformers' SigLIP", "tokenizer.json", ("model", "unk_id"), "x", "cannot read the model of"),
        ("open_clip", "open_clip_config.json", ("model_cfg", "vision_cfg", "layers"), -1, "from 1 to 256"),
        ("open_clip", "open_clip_config.json", ("model_cfg", "quick_gelu"), "no", "true or false"),
        ("open_clip", "open_clip_config.json", ("preprocess_cfg", "resize_mode"), [], "a text"),
        ("open_clip", "open_clip_config.json", ("model_cfg", "text_cfg", "eos_id"), 4, "pools at the end token 4"),
        ("convnext", "open_clip_config.json", ("model_cfg", "vision_cfg", "image_size"), 10**9, "from 1 to 8192"),
        ("nllb", "open_clip_config.json", ("model_cfg", "text_cfg", "context_length"), 10**9, "from 1 to 65536"),
        ("chinese_clip", "config.json", ("text_config", "max_position_embeddings"), 10**9, "from 1 to 65536"),
        (
            "chinese_clip",
            "config.json",
            ("text_config", "pad_token_id"),
            12,
            "pad_id 12 is beyond the vocabulary of 12",
        ),
        ("coca", "open_clip_config.json", ("model_cfg", "text_cfg", "pad_id"), 49408, "beyond the vocabulary of 49408"),
        (
            "chinese_clip",
            "config.json",
            ("text_config", "pad_token_id"),
            3,
            "pads with the id 0, .* takes 3 for padding",
        ),
    ],
)
def test_the_value_is_named(tmp_path, folder, file, path, value, message):
    target = tmp_path / "model"
    FOLDERS[folder](target)
    data = json.loads((target / file).read_text())
    if path[0] == "text_config" and "text_config_dict" in data:
        del data["text_config_dict"]
    if path[0] == "vision_config" and "vision_config_dict" in data:
        del data["vision_config_dict"]
    (target / file).write_text(json.dumps(with_change(data, path, value)))
    with pytest.raises(NegjaxError, match=message) as raised:
        read_model(target)
    named = [part for part in path if isinstance(part, str)]
    of_tokens = any(part in message for part in ("pools at", "beyond the vocabulary", "pads with"))
    assert of_tokens or (file in str(raised.value) and named[0 if "cannot" in message else -1] in str(raised.value))
    assert str(target) in str(raised.value)


@pytest.mark.parametrize(
    ("path", "ids"), [(("post_processor", "special_tokens", "</s>", "ids", 0), 12), (("added_tokens", 1, "id"), None)]
)
def test_an_id_beyond_the_table_is_no_id(tmp_path, path, ids):
    """Those of the post-processor are its own; of a token that the vocabulary has, the vocabulary's counts."""
    hf_siglip(tmp_path / "model")
    file = tmp_path / "model/tokenizer.json"
    before = read_model(tmp_path / "model").tokenizer(TEXTS)
    file.write_text(json.dumps(with_change(json.loads(file.read_text()), path, ids or 10**6)))
    if ids:
        with pytest.raises(NegjaxError, match="the tokenizer has 13 token ids, the text tower of custom embeds 12"):
            read_model(tmp_path / "model")
    else:
        np.testing.assert_array_equal(read_model(tmp_path / "model").tokenizer(TEXTS), before)


def test_a_changed_checkpoint_never_ends_in_a_traceback():
    """Its metadata alone; `read_model` names the checkpoint for these errors."""
    meta = json.loads(json.dumps(to_meta(siglip())))
    first = described(from_meta(meta, {}))
    bad = []
    for path, value in changes(meta):
        if random.Random(str(path)).random() < 0.5:
            changed = with_change(meta, path, value)
            outcome = outcome_of(lambda changed=changed: from_meta(changed, {}), first)
            if isinstance(outcome, Exception) and not isinstance(outcome, MALFORMED_CONTENT):
                bad.append(f"{path} = {value!r}: {outcome!r}")
    assert not bad


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_hidden_layers", 10**9), ("hidden_size", 10**8), ("vocab_size", 10**9)],
)
def test_a_huge_architecture_takes_no_memory(tmp_path, key, value):
    """Peak memory of Python's allocators while the folder is refused."""
    hf_clip(tmp_path / "folder")
    config = json.loads((tmp_path / "folder/config.json").read_text())
    config["text_config"][key] = config["text_config_dict"][key] = value
    (tmp_path / "folder/config.json").write_text(json.dumps(config))
    tracemalloc.start()
    try:
        with pytest.raises(NegjaxError):
            read_model(tmp_path / "folder")
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()
