"""Architecture and activation of PyTorch files, conversion in every direction, and one-line errors for bad files."""

import dataclasses
import json

import numpy as np
import pytest
from etils import epath
from support.json_changes import with_change
from support.trees import assert_same

import negjax
from negjax.cli import main
from negjax.errors import NegjaxError
from negjax.models.architecture import TextConfig, VisionConfig, with_activation
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import PRESETS, PRESETS_OF_NEGJAX, default_preprocess, preset
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.entries import entries
from negjax.weights.families.table import family_of
from negjax.weights.open_clip_config import CONFIG_FILE, known_name, read_model_cfg, write_config
from negjax.weights.positions import resize_positions
from negjax.weights.pytorch import read_pytorch
from negjax.weights.read import read_model
from negjax.weights.safetensors import TensorToWrite, write_safetensors
from negjax.weights.tensors import open_tensors
from negjax.weights.write import write_hf, write_negjax, write_open_clip

SMALL = dataclasses.replace(
    preset("ViT-B-32"),
    name="custom",
    embed_dim=12,
    vision=VisionConfig(16, 8, 24, 2, 3, 40, "quick_gelu"),
    text=TextConfig(77, VOCAB_SIZE, 16, 1, 2, 30, "quick_gelu"),
)


def model_of(config) -> LoadedModel:
    params = init_params(config, 0)
    return LoadedModel(config, params, default_preprocess(config), Tokenizer(config.text.context_length), {})


@pytest.fixture
def folder(tmp_path):
    """SMALL as an open_clip folder."""
    write_open_clip(model_of(SMALL), tmp_path / "small")
    return tmp_path / "small"


def rewritten(folder, change, metadata=None):
    """The tensors of a folder after `change` of a dict of arrays, as a bare file without any config."""
    opened = open_tensors(folder / "open_clip_model.safetensors")
    arrays = {name: stored.load() for name, stored in opened.tensors.items()}
    change(arrays)
    tensors = [TensorToWrite(name, x.shape, x.dtype.name, lambda x=x: x) for name, x in arrays.items()]
    file = folder.parent / "bare.safetensors"
    write_safetensors(file, tensors, metadata or {})
    return file


@pytest.mark.parametrize(
    "name",
    [
        *(name for name, config in PRESETS.items() if family_of(config).open_clip and config.family != "conch"),
        *(f"{name}-quickgelu" for name in ("ViT-B-32", "ViT-bigG-14", "ViT-H-14-worldwide", "RN50")),
    ],
)
def test_every_preset_is_described_as_open_clip_describes_it(name):
    config = preset(name)
    tokenizer = (
        {"kind": "clip"} if config.text.vocab_size == VOCAB_SIZE else {"kind": "hf", "clean": "x", "strip_id": 0}
    )
    written = json.loads(json.dumps(write_config(config, default_preprocess(config), tokenizer, "")))
    again = read_model_cfg(written["model_cfg"], epath.Path(""))
    assert dataclasses.replace(again, name=name) == config
    same = {"MobileCLIP2-B": "MobileCLIP-B"}  # two names of one architecture
    assert known_name(config) == (None if name in PRESETS_OF_NEGJAX else same.get(name, name))


def test_a_folder_and_its_file_state_their_architecture(folder):
    for path in (folder, folder / "open_clip_model.safetensors"):
        model = read_model(path)
        assert model.config == SMALL
        assert_same(model.params, init_params(SMALL, 0))
        assert model.info["activation"] == "quick_gelu"
        assert model.origin["file"] == "open_clip_model.safetensors"
    (folder / CONFIG_FILE).unlink()  # the file carries its config
    assert read_model(folder).config == SMALL


def test_a_config_beside_the_file_is_used(folder):
    file = rewritten(folder, lambda arrays: None)
    with pytest.raises(NegjaxError, match=r"bare\.safetensors does not say its architecture.*--arch FILE\.json"):
        read_model(file)
    assert read_model(file, arch=str(folder / CONFIG_FILE)).config == SMALL
    (folder.parent / CONFIG_FILE).write_text((folder / CONFIG_FILE).read_text())
    assert read_model(file).config == SMALL


def test_preprocessing_that_nothing_states_is_assumed_and_said(folder, caplog):
    file = rewritten(folder, lambda arrays: None)
    cfg = json.loads((folder / CONFIG_FILE).read_text())
    (folder / "bare.json").write_text(json.dumps(cfg["model_cfg"]))  # an architecture alone
    model = read_model(file, arch=str(folder / "bare.json"))
    assert model.info["preprocess"] == model.origin["preprocess"] == "assumed"
    assert "nothing says how its images are prepared; assumed is the usual way" in caplog.text
    assert "preprocess" not in read_model(folder).info
    half = {"mean": [0.5, 0.25, 0.5], "std": 0.5, "interpolation": "bilinear", "resize_mode": "squash"}
    tag = json.dumps({"model_cfg": cfg["model_cfg"], "preprocess_cfg": half})  # as of a tag of open_clip
    of_tag = read_pytorch(folder, config_text=tag).preprocess  # counts instead of the folder's config
    assert (of_tag.mean, of_tag.std) == ((0.5, 0.25, 0.5), (0.5, 0.5, 0.5))
    assert (of_tag.interpolation, of_tag.resize_mode) == ("bilinear", "squash")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mean": "x"}, "mean is 'x': give three finite numbers"),
        ({"std": [1, 0, 1]}, "std is .*: its values must be greater than 0"),
        ({"interpolation": 3}, "interpolation is 3: it must be a text"),
        ({"resize_mode": "longest", "fill_color": 255}, "fill_color is 255: only images on black"),
        ({"mode": "L"}, "mode is 'L': only RGB is supported"),
    ],
)
def test_preprocessing_of_open_clip_that_is_refused(folder, setting, message):
    cfg = json.loads((folder / CONFIG_FILE).read_text())
    cfg["preprocess_cfg"] = setting
    with pytest.raises(NegjaxError, match=message):
        read_pytorch(folder, config_text=json.dumps(cfg))


def test_the_activation_must_be_given(tmp_path, monkeypatch):
    """A bare state dict of known shapes: nothing in it tells GELU from QuickGELU."""
    wide = dataclasses.replace(preset("ViT-S-32-alt"), name="mini")
    small = dataclasses.replace(
        wide,
        vision=dataclasses.replace(wide.vision, width=24, depth=1, heads=3, mlp_width=48),
        text=dataclasses.replace(wide.text, width=16, depth=1, heads=2, mlp_width=32),
    )
    monkeypatch.setitem(PRESETS, "mini", small)
    write_open_clip(model_of(small), tmp_path / "out")
    file = rewritten(tmp_path / "out", lambda arrays: None)
    with pytest.raises(NegjaxError, match="does not say its activation: give --arch mini or mini-quickgelu"):
        read_model(file)
    assert read_model(file, arch="mini").info["activation"] == "gelu"
    assert read_model(file, arch="mini-quickgelu").info["activation"] == "quick_gelu"
    model = read_model(file, activation="quick_gelu")
    assert (model.info["activation"], model.info["activation_of_weights"]) == ("quick_gelu", "unknown")


def test_another_activation_is_an_error_unless_it_is_overridden(folder, tmp_path):
    other = tmp_path / "gelu.json"
    cfg = json.loads((folder / CONFIG_FILE).read_text())
    cfg["model_cfg"]["quick_gelu"] = False
    other.write_text(json.dumps(cfg))
    with pytest.raises(NegjaxError, match=r"was made with activation quick_gelu and .* has gelu: give another --arch"):
        read_model(folder, arch=str(other))
    model = read_model(folder, activation="gelu")
    assert model.config == with_activation(SMALL, "gelu")
    assert model.info["activation_of_weights"] == "quick_gelu"
    write_negjax(model, tmp_path / "ours")  # it is remembered
    again = read_model(tmp_path / "ours")
    assert (again.info["activation"], again.info["activation_of_weights"]) == ("gelu", "quick_gelu")
    with pytest.raises(NegjaxError, match="'swish'"):
        read_model(folder, activation="swish")


@pytest.mark.parametrize(
    ("write", "key", "value", "what"),
    [
        (write_open_clip, "embed_dim", 10, "means 10, but visual.proj is [24, 12]"),
        (write_open_clip, "vision_cfg.patch_size", 4, "means 4, but visual.conv1.weight is [24, 3, 8, 8]"),
        (write_open_clip, "text_cfg.vocab_size", 50000, "means 50000, but token_embedding.weight is [49408, 16]"),
        (write_open_clip, "text_cfg.context_length", 64, "means 64, but positional_embedding is [77, 16]"),
        (write_open_clip, "vision_cfg.layers", 3, "is 3, but the number of blocks is 2"),
        (write_hf, "projection_dim", 10, "means 10, but visual_projection.weight is [12, 24]"),
        (
            write_hf,
            "text_config.hidden_size",
            12,
            "means 12, but text_model.embeddings.token_embedding.weight is [49408, 16]",
        ),
        (write_hf, "text_config.num_hidden_layers", 3, "is 3, but the number of blocks is 1"),
    ],
)
def test_a_size_that_the_weights_do_not_have_is_named_by_the_config(tmp_path, write, key, value, what):
    write(model_of(SMALL), tmp_path / "model")
    file = tmp_path / "model" / ("config.json" if write is write_hf else CONFIG_FILE)
    config = json.loads(file.read_text())
    path = (*(["model_cfg"] if write is write_open_clip else []), *key.split("."))
    file.write_text(json.dumps(with_change(config, path, value)))
    with pytest.raises(NegjaxError) as caught:
        read_model(tmp_path / "model")
    assert f"does not hold the model custom: {key} of {file.name} {what}; " in str(caught.value)


def test_missing_unexpected_and_misshaped_tensors_are_listed(folder):
    def spoil(arrays):
        del arrays["ln_final.weight"], arrays["ln_final.bias"]
        arrays["visual.proj"] = arrays["visual.proj"][:, :5].copy()
        for i in range(12):
            arrays[f"extra.{i}"] = np.zeros(2, np.float32)

    file = rewritten(folder, spoil)
    with pytest.raises(NegjaxError) as caught:
        read_model(file, arch=str(folder / CONFIG_FILE))
    message = str(caught.value)
    assert "ln_final.weight is missing" in message
    assert "visual.proj is [24, 5] instead of [24, 12]" in message
    assert "extra.0 is unknown" in message
    assert f"embed_dim of --arch {folder / CONFIG_FILE} means 12, but visual.proj is [24, 5]; " in message
    assert message.endswith("and 6 more")
    assert "\n" not in message


def test_buffers_are_ignored(folder):
    def add(arrays):
        arrays["attn_mask"] = np.zeros((77, 77), np.float32)

    assert_same(read_model(rewritten(folder, add), arch=str(folder / CONFIG_FILE)).params, init_params(SMALL, 0))


def test_numbers_that_are_not_finite(folder):
    def spoil(arrays):
        arrays["visual.proj"] = np.full_like(arrays["visual.proj"], np.nan)

    with pytest.raises(NegjaxError, match=r"visual\.proj holds values that are not finite"):
        read_model(rewritten(folder, spoil), arch=str(folder / CONFIG_FILE))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("visual.layer1.0.conv1.weight", "holds another ResNet than OpenAI's"),
        ("visual.trunk.stages.0.conv.weight", "holds an open_clip model with another tower of timm's"),
        ("text_decoder.ln_final.weight", "holds another CoCa"),
        ("visual.blocks.0.attn.q_bias", "holds EVA-CLIP"),
        ("visual.trunk.stem.0.conv_kxk.0.conv.weight", "holds a MobileCLIP-S, with timm's FastViT"),
        ("image_encoder.model.cls_token", r"MobileCLIP in Apple's own form .*\(open_clip:MobileCLIP-B/datacompdr\)"),
        ("visual.attn_pool.probe", "holds PE-Core in Meta's own form"),
        ("bert.embeddings.weight", "holds no supported model"),
    ],
)
def test_other_models_are_refused_by_name(tmp_path, name, what):
    zeros = np.zeros((2, 2), np.float32)
    write_safetensors(tmp_path / "x.safetensors", [TensorToWrite(name, (2, 2), "float32", lambda: zeros)], {})
    with pytest.raises(
        NegjaxError, match=rf"x\.safetensors holds .*{what.removeprefix('holds ')}.*supported are OpenAI's"
    ):
        read_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multimodal_cfg": {}}, "multimodal_cfg"),
        ({"vision_cfg": {"timm_model_name": "convnext_nano"}}, "timm's convnext_nano"),
        ({"vision_cfg": {"timm_model_name": "fastvit_mci2"}}, "timm's fastvit_mci2"),
        ({"vision_cfg": {"ls_init_value": 1e-4}}, "ls_init_value is 0.0001"),
        ({"text_cfg": {"hf_model_name": "google/mt5-base"}}, "hf_model_name"),
        ({"embed_dim": None}, "model_cfg.embed_dim is None: it must be a whole number"),
        ({"vision_cfg": None}, "model_cfg.vision_cfg is None: it must be an object"),
    ],
)
def test_configs_of_other_models(folder, change, message):
    cfg = json.loads((folder / CONFIG_FILE).read_text())
    cfg["model_cfg"] |= change
    (folder / "other.json").write_text(json.dumps(cfg))
    with pytest.raises(NegjaxError, match=f"other.json.*{message}"):
        read_pytorch(folder, arch=str(folder / "other.json"))


def test_another_image_size_resizes_the_positions(folder):
    cfg = json.loads((folder / CONFIG_FILE).read_text())
    cfg["model_cfg"]["vision_cfg"]["image_size"] = 32
    (folder / "large.json").write_text(json.dumps(cfg))
    model = read_model(folder, arch=str(folder / "large.json"))
    assert model.config.vision.image_size == model.preprocess.size == 32
    positions = model.params["visual"]["positions"]
    np.testing.assert_array_equal(
        positions, resize_positions(init_params(SMALL, 0)["visual"]["positions"], model.config)
    )
    assert positions.shape == (17, 24)
    assert model.encode_image(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 12)


def test_convert_there_and_back(folder, tmp_path, capsys):
    assert main(["convert", str(folder), str(tmp_path / "ours")]) == 0
    said = capsys.readouterr().out
    assert "custom, activation quick_gelu, 0.81 million parameters" in said
    assert f'negjax.load("{tmp_path / "ours"}")' in said
    assert main(["convert", str(tmp_path / "ours"), str(tmp_path / "back"), "--to", "open_clip"]) == 0
    assert f'create_model_and_transforms("local-dir:{tmp_path / "back"}")' in capsys.readouterr().out
    want, got = (open_tensors(place / "open_clip_model.safetensors").tensors for place in (folder, tmp_path / "back"))
    assert want.keys() == got.keys()
    assert all(np.array_equal(want[name].load(), got[name].load()) for name in want)
    model, _, tokenize = negjax.load(tmp_path / "ours")
    assert model.encode_text(tokenize("no cat")).shape == (1, 12)


def test_convert_to_hugging_face(folder, tmp_path, capsys):
    assert main(["convert", str(folder), str(tmp_path / "hf"), "--to", "hf"]) == 0
    assert f'CLIPModel.from_pretrained("{tmp_path / "hf"}")' in capsys.readouterr().out
    config = json.loads((tmp_path / "hf/config.json").read_text())
    assert config["text_config"]["hidden_act"] == config["vision_config"]["hidden_act"] == "quick_gelu"
    assert config["text_config"]["eos_token_id"] == 49407
    model = read_model(tmp_path / "hf")
    assert model.config == dataclasses.replace(SMALL, logit_scale_init=model.config.logit_scale_init)
    assert_same(model.params, init_params(SMALL, 0))


def test_a_file_of_a_known_architecture_gets_its_config_beside(tmp_path, capsys):
    source = tmp_path / "source"
    write_negjax(model_of(preset("ViT-S-32-alt-quickgelu")), source)
    target = tmp_path / "out/weights.safetensors"
    assert main(["convert", str(source), str(target), "--to", "open_clip"]) == 0
    assert f'create_model_and_transforms("ViT-S-32-alt-quickgelu", pretrained="{target}")' in capsys.readouterr().out
    assert json.loads((target.parent / CONFIG_FILE).read_text())["model_cfg"]["quick_gelu"] is True
    assert read_model(target).config.name == "ViT-S-32-alt-quickgelu"
    assert main(["convert", str(source), str(target), "--to", "open_clip"]) == 2
    assert "exists already" in capsys.readouterr().err
    other = str(target.parent / "other.safetensors")
    assert main(["convert", str(source), other, "--to", "open_clip", "--activation", "gelu"]) == 2
    assert "is of another model: write to another folder" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["negjax", "open_clip", "hf"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"not weights, but a page of text\n" * 9, "neither"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "Git LFS"),
        (b"PK\x03\x04" + bytes(60), "damaged|cut short"),
        ((900).to_bytes(8, "little") + b'{"a":', "cut short|damaged"),
    ],
)
def test_broken_files_end_in_one_line_and_leave_nothing(tmp_path, capsys, to, content, message):
    (tmp_path / "weights.pt").write_bytes(content)
    assert main(["convert", str(tmp_path / "weights.pt"), str(tmp_path / "dst"), "--to", to]) == 2
    err = capsys.readouterr().err
    assert err.startswith("negjax: error: ")
    assert err.count("\n") == 1
    assert "weights.pt" in err
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pt"]


def test_a_full_disk_leaves_nothing(folder, tmp_path, monkeypatch):
    def fail(self):
        raise OSError(28, "No space left on device")

    model = read_model(folder)
    monkeypatch.setattr(TensorToWrite, "value", fail)
    for write in (write_open_clip, write_hf):
        with pytest.raises(NegjaxError, match="No space left on device"):
            write(model, tmp_path / "dst")
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_models_that_a_format_cannot_hold(tmp_path):
    clipa = dataclasses.replace(SMALL, vision=dataclasses.replace(SMALL.vision, pool="average"))
    with pytest.raises(NegjaxError, match=r"transformers has no model of this form.*--to open_clip"):
        write_hf(model_of(clipa), tmp_path / "hf")
    mixed = with_activation(SMALL, "quick_gelu/gelu")
    with pytest.raises(NegjaxError, match="one activation for both towers"):
        write_open_clip(model_of(mixed), tmp_path / "oc")
    with pytest.raises(NegjaxError, match="own towers have no relu: use --to negjax"):
        write_open_clip(model_of(with_activation(SMALL, "relu")), tmp_path / "oc")
    siglip = preset("ViT-B-16-SigLIP")
    tanh = with_activation(siglip, "gelu_tanh")
    with pytest.raises(NegjaxError, match="vit_base_patch16_siglip_224, computes gelu, this model gelu_tanh"):
        write_config(tanh, default_preprocess(tanh), {"kind": "hf", "clean": "canonicalize", "strip_id": None}, "")
    with pytest.raises(NegjaxError, match="a folder instead of a file"):
        write_open_clip(model_of(SMALL), tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_names_need_a_library_and_a_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("hf-hub:openai/clip-vit-base-patch32", "open_clip:ViT-B-32/openai"):
        with pytest.raises(NegjaxError, match=rf"{name}: .* is not installed|{name} cannot be downloaded"):
            read_model(name)


@pytest.mark.slow
def test_every_parameter_has_a_row():
    for config in PRESETS.values():
        format = family_of(config).formats[0]
        names = [name for entry in entries(format, config) for name in entry.names]
        assert len(names) == len(set(names)) > 20


def edited(config_file, **model_cfg):
    """Changes settings of an open_clip_config.json."""
    config = json.loads(config_file.read_text())
    config["model_cfg"] |= model_cfg
    config["preprocess_cfg"]["mean"] = [0.5, 0.5, 0.5]
    config_file.write_text(json.dumps(config))


def test_an_edited_config_counts_and_is_told(folder, caplog):
    """The file's header holds the config, too; open_clip reads the file."""
    assert read_model(folder).preprocess == default_preprocess(SMALL)
    assert not caplog.records
    edited(folder / CONFIG_FILE)
    assert read_model(folder).preprocess.mean == (0.5, 0.5, 0.5)
    assert "differs from the config in the weights' header in preprocess_cfg.mean: the file counts" in caplog.text
    edited(folder / CONFIG_FILE, quick_gelu=False)
    with pytest.raises(NegjaxError, match=r"in model_cfg\.quick_gelu, .*mean, .*: gelu instead of quick_gelu"):
        read_model(folder)
    assert read_model(folder, activation="quick_gelu").config == SMALL


WORDS = ["<pad>", "</s>", "<unk>", "a", "dog", "two", "no", "cat"]


def word_tokenizer(context_length: int, clean: str) -> HFTokenizer:
    words = {word: i for i, word in enumerate(WORDS)}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"}
    return HFTokenizer(
        json.dumps({"model": model, "pre_tokenizer": {"type": "Whitespace"}}), context_length, clean=clean
    )


def test_an_architecture_by_name_cleans_texts_as_open_clip_does_for_it(tmp_path, monkeypatch, caplog):
    """A CLIPA: entities are resolved, [SEP] becomes 0. What open_clip says of each name is compared in tests/parity."""
    sizes = {"width": 12, "depth": 1, "heads": 2, "mlp_width": 20}
    base = preset("ViT-L-14-CLIPA")
    small = dataclasses.replace(
        base,
        name="mini",
        embed_dim=8,
        vision=dataclasses.replace(base.vision, **sizes, image_size=28),
        text=dataclasses.replace(base.text, **sizes, vocab_size=8, context_length=6),
    )
    monkeypatch.setitem(PRESETS, "mini", small)
    write_open_clip(
        LoadedModel(small, init_params(small, 0), default_preprocess(small), word_tokenizer(6, "lower")),
        tmp_path / "out",
    )
    file = rewritten(tmp_path / "out", lambda arrays: None)
    words = {"[PAD]": 0, "[SEP]": 1, "[UNK]": 2, "a": 3, "dog": 4, "&": 5}
    template = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"[SEP]": {"id": "[SEP]", "ids": [1], "tokens": ["[SEP]"]}},
    }
    vocabulary = {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}
    tokenizer = {"model": vocabulary, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": template}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "[PAD]", "sep_token": "[SEP]"}')
    with caplog.at_level("INFO"):
        model = read_model(file, arch="mini")
    assert model.tokenizer(["a &amp; dog"]).tolist() == [[3, 5, 4, 0, 0, 0]]
    assert "tokenizer is used as open_clip does for mini (clean whitespace, strip_sep_token True)" in caplog.text


def siglip_of(vocab_size: int, clean: str) -> LoadedModel:
    """A small model of SigLIP's form over a vocabulary of eight words."""
    base = preset("ViT-B-32-SigLIP2-256")
    sizes = {"width": 12, "depth": 1, "heads": 2, "mlp_width": 20}
    vision = dataclasses.replace(base.vision, **sizes, image_size=64)
    text = dataclasses.replace(base.text, **sizes, vocab_size=vocab_size, context_length=6)
    config = dataclasses.replace(base, name="custom", embed_dim=12, vision=vision, text=text)
    return LoadedModel(config, init_params(config, 0), default_preprocess(config), word_tokenizer(6, clean), {})


@pytest.mark.parametrize(
    ("clean", "ids"),
    [("canonicalize", [3, 4, 5, 0, 0, 0]), ("lower", [3, 4, 2, 5, 2, 0]), ("siglip-cased", [2, 2, 2, 5, 0, 0])],
)
def test_a_hugging_face_folder_keeps_the_cleaning_of_texts(tmp_path, clean, ids):
    write_hf(siglip_of(8, clean), tmp_path / "hf")
    model = read_model(tmp_path / "hf")
    assert model.tokenizer(["A Dog, two!"]).tolist() == [ids]
    write_negjax(model, tmp_path / "ours")
    assert read_model(tmp_path / "ours").tokenizer(["A Dog, two!"]).tolist() == [ids]


@pytest.mark.parametrize("clean", ["siglip", "siglip-cased", "", "canonicalize+siglip"])
def test_open_clip_is_given_only_cleanings_that_it_has(clean):
    """open_clip_torch 3.3.0, get_clean_fn."""
    model = siglip_of(8, clean)
    tower = dataclasses.replace(preset("ViT-B-32-SigLIP2-256"), text=model.config.text)
    config = write_config(tower, model.preprocess, model.tokenizer.to_dict(), "")
    by_open_clip = config["model_cfg"]["text_cfg"]["tokenizer_kwargs"]["clean"]
    assert by_open_clip == ("canonicalize" if clean.startswith("canonicalize") else "whitespace")


def test_a_tokenizer_beyond_the_vocabulary_is_refused(tmp_path):
    message = "the tokenizer has 8 token ids, the text tower of custom embeds 7: use the tokenizer that belongs"
    write_hf(siglip_of(7, "lower"), tmp_path / "hf")
    write_negjax(siglip_of(7, "lower"), tmp_path / "ours")
    for path in (tmp_path / "hf", tmp_path / "ours"):
        with pytest.raises(NegjaxError, match=f"{path.name}.*: {message}"):
            read_model(path)
        with pytest.raises(NegjaxError, match=message):
            negjax.load(path)
    write_hf(siglip_of(9, "lower"), tmp_path / "larger")  # a table may have spare rows
    assert read_model(tmp_path / "larger").tokenizer(["cat"])[0, 0] == 7
    small_clip = dataclasses.replace(SMALL, text=dataclasses.replace(SMALL.text, vocab_size=1000))
    write_negjax(model_of(small_clip), tmp_path / "clip")
    with pytest.raises(NegjaxError, match="the tokenizer has 49408 token ids, the text tower of custom embeds 1000"):
        read_model(tmp_path / "clip")
