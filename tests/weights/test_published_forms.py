"""Files as training code and other projects leave them: prefixes, several models in one file, shards, LongCLIP."""

import dataclasses
import json

import numpy as np
import pytest
from support.trees import assert_same
from support.weight_files import FLOATS, archive, items, save_arrays, tensor, values

from negjax.cli import main
from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.weights.read import read_model
from negjax.weights.tensors import open_tensors
from negjax.weights.write import write_open_clip

CONFIG_FILE = "open_clip_config.json"
VISION, TEXT = VisionConfig(16, 8, 64, 1, 1, 128, "quick_gelu"), TextConfig(30, VOCAB_SIZE, 64, 1, 1, 96, "quick_gelu")
CONFIG = CLIPConfig("custom", 12, VISION, TEXT)


def tensors_of(folder, seed: int = 0) -> dict[str, np.ndarray]:
    """The tensors of a model as open_clip names them; its config is left in the folder."""
    model = LoadedModel(CONFIG, init_params(CONFIG, seed), default_preprocess(CONFIG), Tokenizer(30))
    write_open_clip(model, folder / f"model{seed}")
    (folder / CONFIG_FILE).write_text((folder / f"model{seed}" / CONFIG_FILE).read_text())
    opened = open_tensors(folder / f"model{seed}" / "open_clip_model.safetensors")
    return {name: stored.load() for name, stored in opened.tensors.items()}


def named(prefix: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {prefix + name: array for name, array in tensors.items()}


@pytest.mark.parametrize("prefix", ["model.", "clip_model.", "net.", "module.", "module.student.clip."])
def test_a_prefix_is_taken_off_and_told(tmp_path, prefix, caplog):
    more = {"loss.weight": FLOATS, "head.bias": FLOATS} if prefix == "net." else {}
    save_arrays(tmp_path / "w.safetensors", named(prefix, tensors_of(tmp_path)) | more)
    assert_same(read_model(tmp_path / "w.safetensors").params, init_params(CONFIG, 0))
    if prefix != "module.":
        shown = prefix.removeprefix("module.")
        assert f"the model's tensors are those under {shown}" in caplog.text
    assert ("2 other tensors are left out (loss.weight, head.bias)" in caplog.text) == bool(more)


def test_of_two_models_one_has_to_be_named(tmp_path):
    both = named("student.", tensors_of(tmp_path, 1)) | named("teacher.", tensors_of(tmp_path, 2))
    save_arrays(tmp_path / "w.safetensors", both)
    with pytest.raises(
        NegjaxError, match=r"several models, under student\., teacher\.: give .*w\.safetensors#student\."
    ):
        read_model(tmp_path / "w.safetensors")
    for part, seed in (("student.", 1), ("teacher", 2)):
        assert_same(read_model(f"{tmp_path / 'w.safetensors'}#{part}").params, init_params(CONFIG, seed))
    with pytest.raises(
        NegjaxError, match=r"has no entry 'other' with tensors, and no tensors whose names start with other\."
    ):
        read_model(f"{tmp_path / 'w.safetensors'}#other")
    with pytest.raises(NegjaxError, match="is a folder, and only a file can be followed by #PART"):
        read_model(f"{tmp_path}#teacher")
    with pytest.raises(NegjaxError, match="not found"):
        read_model(tmp_path / "missing#teacher")


def test_an_average_beside_the_weights_is_told_and_can_be_chosen(tmp_path, caplog):
    entries = {"state_dict": items(w=tensor(count=8)), "state_dict_ema": items(w=tensor(shape=(4,)))}
    path = archive(tmp_path / "w.pt", items(epoch=b"K\x03", **entries))
    assert values(open_tensors(path))["w"].shape == (8,)
    assert f"it also holds state_dict_ema: give {path}#state_dict_ema to read these" in caplog.text
    caplog.clear()
    assert values(open_tensors(path, "state_dict_ema"))["w"].shape == (4,)
    assert not caplog.records


def test_an_entry_of_another_name_can_be_read(tmp_path):
    path = archive(tmp_path / "w", items(epoch=b"K\x03", a=items(w=tensor()), b=items(w=tensor(shape=(2,)))))
    with pytest.raises(NegjaxError, match=r"holds no tensors by name, but 'epoch', 'a', 'b': .* or read an entry .*#a"):
        open_tensors(path)
    assert values(open_tensors(path, "b"))["w"].shape == (2,)


def test_deepspeeds_state_dict_is_its_module(tmp_path):
    whole = items(epoch=b"K\x03", module=items(w=tensor()))
    np.testing.assert_array_equal(values(open_tensors(archive(tmp_path / "w", whole)))["w"], FLOATS)


def test_shards_of_pytorch(tmp_path):
    archive(tmp_path / "pytorch_model-00001-of-00002.bin", items(a=tensor()))
    archive(tmp_path / "pytorch_model-00002-of-00002.bin", items(b=tensor(shape=(2, 4), strides=(4, 1))))
    shards = {name: f"pytorch_model-0000{i}-of-00002.bin" for i, name in ((1, "a"), (2, "b"))}
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 64}, "weight_map": shards}))
    opened = values(open_tensors(index))
    np.testing.assert_array_equal(opened["a"], FLOATS)
    np.testing.assert_array_equal(opened["b"], FLOATS.reshape(2, 4))
    with pytest.raises(NegjaxError, match=r"index\.json holds no supported model"):  # it is what a folder is read by
        read_model(tmp_path)


def test_longclip_has_two_tables_of_positions(tmp_path):
    """Its encode_text adds table 1 times a mask of rows 0 to 19 and table 2 times the opposite mask."""
    tensors = tensors_of(tmp_path)
    (tmp_path / CONFIG_FILE).unlink()
    first, second = tensors["positional_embedding"], tensors["positional_embedding"][::-1].copy()
    first_rows = (np.arange(30) < 20)[:, None]
    save_arrays(tmp_path / "longclip.safetensors", tensors | {"positional_embedding_res": second})
    model = read_model(tmp_path / "longclip.safetensors")
    np.testing.assert_array_equal(model.params["text"]["positions"], first * first_rows + second * ~first_rows)
    assert (model.config, model.tokenizer.context_length) == (dataclasses.replace(CONFIG), 30)
    save_arrays(tmp_path / "short.safetensors", tensors | {"positional_embedding_res": second[:5].copy()})
    with pytest.raises(NegjaxError, match=r"positional_embedding_res is \[5, 64\], positional_embedding \[30, 64\]"):
        read_model(tmp_path / "short.safetensors")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zero_to_fp32.py", "is a checkpoint of DeepSpeed: run its `python zero_to_fp32.py . weights`"),
        (".metadata", "is a checkpoint of torch.distributed .* dcp_to_torch FOLDER weights.pt"),
        ("tf_model.h5", "is a model of TensorFlow: give its PyTorch weights"),
        ("flax_model.msgpack", "is a model of Flax: give its PyTorch weights"),
    ],
)
def test_folders_of_other_kinds_are_named(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(NegjaxError, match=message):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (b"\x93NUMPY\1\0v\0", "an array of NumPy"),
        (b"\x89HDF\r\n\x1a\n", "a file of HDF5"),
        (b"GGUF\3\0\0\0", "a file of GGUF"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, beginning, message):
    (tmp_path / "w").write_bytes(beginning + bytes(60))
    with pytest.raises(NegjaxError, match=f"is {message}.*not PyTorch's"):
        open_tensors(tmp_path / "w")


def test_an_array_archive_is_named(tmp_path):
    np.savez(tmp_path / "w.npz", w=FLOATS)
    with pytest.raises(NegjaxError, match=r"it is NumPy's \(\.npz\); write its arrays"):
        open_tensors(tmp_path / "w.npz")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("visual.transformer.resblocks.0.attn.out_proj.lora_A.weight", "holds LoRA weights beside the model's"),
        ("visual_proj.attn.in_proj_weight", "holds 1 tensors that no supported model has .*another kind of model"),
    ],
)
def test_advice_that_would_not_help_is_not_given(tmp_path, more, message, capsys):
    """A config (--arch FILE.json) makes no model readable that has other parts."""
    tensors = tensors_of(tmp_path)
    (tmp_path / CONFIG_FILE).unlink()
    save_arrays(tmp_path / "w.safetensors", tensors | {more: FLOATS})
    assert main(["convert", str(tmp_path / "w.safetensors"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "--arch" not in error
    with pytest.raises(NegjaxError, match=message):
        read_model(tmp_path / "w.safetensors")
