"""Weight files read tensor by tensor: their values to the bit, or a one-line error."""

import argparse
import collections
import json
import struct
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest
from support.weight_files import FLOATS, archive, entry, items, safetensors, tensor, values

from negjax.errors import NegjaxError
from negjax.weights.tensors import TensorFile, open_tensors


def test_safetensors(tmp_path):
    data = FLOATS.tobytes() + FLOATS.astype(ml_dtypes.bfloat16).tobytes() + b"\1\0" + np.int64(-5).tobytes()
    header = {
        "f": entry((2, 4), 0, 32),
        "b": entry((8,), 32, 48, "BF16"),
        "none": entry((3, 0), 48, 48),
        "t": entry((2,), 48, 50, "BOOL"),
        "n": entry((), 50, 58, "I64"),
        "__metadata__": {"format": "pt"},
    }
    opened = open_tensors(safetensors(tmp_path / "w.bin", header, data))
    loaded = values(opened)
    assert opened.metadata == {"format": "pt"}
    assert opened.files == (tmp_path / "w.bin",)
    assert not opened.openai
    assert {name: value.tolist() for name, value in loaded.items()} == {
        "f": FLOATS.reshape(2, 4).tolist(),
        "b": FLOATS.tolist(),
        "none": [[], [], []],
        "t": [True, False],
        "n": -5,
    }
    assert loaded["b"].dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize("length", [0x7B, 0x17B, 0x7B20, 0x7B0A])
def test_a_header_as_long_as_looks_like_json(tmp_path, length):
    """The length of the header then makes the file start with "{", as an index does, or with a space and "{"."""
    text = json.dumps({"w": entry((8,), 0, 32)})
    opened = open_tensors(safetensors(tmp_path / "w", text.ljust(length), FLOATS.tobytes()))
    np.testing.assert_array_equal(values(opened)["w"], FLOATS)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"w": entry((8,), 0, 32), "v": entry((4,), 16, 32)}, "the tensor 'v' overlaps another or leaves a gap"),
        ({"w": entry((4,), 16, 32)}, "the tensor 'w' overlaps another or leaves a gap"),
        ({"w": entry((4,), -16, 0)}, "the tensor 'w' overlaps another or leaves a gap"),
        ({"w": entry((4,), 0, 16)}, r"has \d+ bytes instead of \d+: download or copy it again"),
        ({"w": entry((16,), 0, 64)}, r"has \d+ bytes instead of \d+: download or copy it again"),
        ({"w": entry((8,), 32, 0)}, "the tensor 'w' is not as long as its shape"),
        ({"w": entry((7,), 0, 32)}, "the tensor 'w' is not as long as its shape"),
        ({"w": entry((-8,), 0, 32)}, "the tensor 'w' is not as long as its shape"),
        ({"w": entry((8.0,), 0, 32)}, "the tensor 'w' is not as long as its shape"),
        ({"w": entry((0, 1 << 62, 1 << 62), 0, 0)}, "the tensor 'w' is not as long as its shape"),
        ({"w": entry((8,), 0.0, 32)}, "its header is damaged at 'w'"),
        ({"w": {"dtype": "F32", "shape": [8]}}, "its header is damaged at 'w'"),
        ({"w": [0, 32]}, "its header is damaged at 'w'"),
        ({"w": entry((32,), 0, 32, "F8_E4M3")}, "the tensor 'w' is of type 'F8_E4M3': save it in float16 or bfloat16"),
        ({"__metadata__": {"a": 1}}, "its __metadata__ is not a dict of strings"),
        ({"__metadata__": [1]}, "its __metadata__ is not a dict of strings"),
        ('{"w": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}, "w": 1}', "duplicate name"),
        ('{"w": ', "its JSON cannot be read"),
        (b'{"\xff": 1}', "its JSON cannot be read"),
        ('{"w": ' + "[" * 100_000, "its JSON cannot be read"),
        ('{"w": ' + "9" * 5000 + "}", "its JSON cannot be read"),
    ],
)
def test_malformed_safetensors(tmp_path, header, message):
    with pytest.raises(NegjaxError, match=message) as caught:
        open_tensors(safetensors(tmp_path / "w", header, FLOATS.tobytes()))
    assert str(caught.value).startswith(str(tmp_path / "w"))
    assert "\n" not in str(caught.value)


def test_safetensors_cut_short(tmp_path):
    path = safetensors(tmp_path / "w", {"w": entry((8,), 0, 32)}, FLOATS.tobytes())
    whole = path.read_bytes()
    for end in range(9, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(NegjaxError, match=r"cut short|bytes instead of"):
            open_tensors(path)
    path.write_bytes(struct.pack("<Q", 1 << 40) + whole[8:])
    with pytest.raises(NegjaxError, match="its header has 1099511627776 bytes, which no list of tensors needs"):
        open_tensors(path)


def test_shards(tmp_path):
    safetensors(tmp_path / "a.safetensors", {"v": entry((8,), 0, 32), "__metadata__": {"a": "1"}}, FLOATS.tobytes())
    safetensors(tmp_path / "b.safetensors", {"w": entry((4,), 0, 16), "x": entry((4,), 16, 32)}, FLOATS.tobytes())
    index = tmp_path / "model.safetensors.index.json"
    shards = {"x": "b.safetensors", "v": "a.safetensors", "w": "b.safetensors"}
    index.write_text(json.dumps({"metadata": {"total_size": 64}, "weight_map": shards}, indent=2))
    opened = open_tensors(index)
    assert {name: value.tolist() for name, value in values(opened).items()} == {
        "x": FLOATS[4:].tolist(),
        "v": FLOATS.tolist(),
        "w": FLOATS[:4].tolist(),
    }
    assert opened.metadata == {"a": "1"}
    assert opened.files == (index, tmp_path / "b.safetensors", tmp_path / "a.safetensors")

    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(NegjaxError, match=r"index\.json needs .*b\.safetensors, which is missing: download all shards"):
        open_tensors(index)
    safetensors(tmp_path / "b.safetensors", {"w": entry((8,), 0, 32)}, FLOATS.tobytes())
    with pytest.raises(NegjaxError, match=r"the tensor 'x' is not in b\.safetensors"):
        open_tensors(index)


@pytest.mark.parametrize("name", ["../a.safetensors", "/etc/passwd", "sub/a", "..\\a", "..", ".", "", 5, None])
def test_shards_outside_of_the_folder(tmp_path, name):
    safetensors(tmp_path / "a.safetensors", {"w": entry((8,), 0, 32)}, FLOATS.tobytes())
    (tmp_path / "in").mkdir()
    index = tmp_path / "in" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(NegjaxError, match="which is not a file beside it: the index was refused"):
        open_tensors(index)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"weight_map": {}}', "is JSON without a weight_map"),
        ('{"weight_map": ["a"]}', "is JSON without a weight_map"),
        ("{}", "is JSON without a weight_map"),
        ('{"weight_map": {', "its JSON cannot be read"),
        ('{"weight_map": {"w": "i.json"}}', "is neither a safetensors file nor one that PyTorch saved"),
        ('{"weight_map": {"w": "a\\u0000b"}}', "which is missing"),
    ],
)
def test_malformed_indices(tmp_path, text, message):
    (tmp_path / "i.json").write_text(text)
    with pytest.raises(NegjaxError, match=message):
        open_tensors(tmp_path / "i.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: download or copy it again"),
        (b"just some text, long enough", "is neither a safetensors file nor one that PyTorch saved"),
        (b"\0" * 100, "is neither a safetensors file nor one that PyTorch saved"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page, not weights: download the file itself"),
        (b"<?xml version='1.0'?><Error/>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", "Git LFS pointer.*`git lfs pull`"),
        (
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
            "by PyTorch before 1.6 or is another pickle: load it",
        ),
    ],
)
def test_what_is_no_weights_file(tmp_path, content, message):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(NegjaxError, match=rf"w\.pt .*{message}"):
        open_tensors(tmp_path / "w.pt")


def test_what_is_no_file(tmp_path):
    with pytest.raises(NegjaxError, match=r"w\.pt not found: give a weights file"):
        open_tensors(tmp_path / "w.pt")
    with pytest.raises(NegjaxError, match="is a folder: give the weights file in it"):
        open_tensors(tmp_path)


@pytest.mark.parametrize("kind", ["pytorch", "safetensors"])
def test_memory_is_that_of_one_tensor(tmp_path, kind):
    count, size = 5, 1 << 22
    data = np.arange(count * size, dtype=np.float32)
    path = tmp_path / "w"
    if kind == "pytorch":
        views = {f"w{i}": tensor("1", count * size, i * size, (2048, 2048), (2048, 1)) for i in range(count)}
        archive(path, items(**views), {"data/1": data.tobytes()})
    else:
        ranges = {f"w{i}": entry((2048, 2048), 4 * size * i, 4 * size * (i + 1)) for i in range(count)}
        safetensors(path, ranges, data.tobytes())
    del data
    tracemalloc.start()
    try:
        for i, stored in enumerate(open_tensors(path).tensors.values()):
            assert stored.load()[-1, -1] == (i + 1) * size - 1
        assert tracemalloc.get_traced_memory()[1] < 1.5 * 4 * size
    finally:
        tracemalloc.stop()


# What PyTorch and safetensors themselves write


def assert_same(opened: TensorFile, right: dict) -> None:
    """Bits, types and shapes are those of PyTorch's tensors."""
    import torch

    loaded = values(opened)
    assert loaded.keys() == right.keys()
    for name, wanted in right.items():
        assert str(wanted.dtype) == f"torch.{loaded[name].dtype.name}"
        assert loaded[name].shape == tuple(wanted.shape)
        bits = wanted.detach().contiguous().reshape(-1).view(torch.uint8)
        assert loaded[name].tobytes() == bits.numpy().tobytes(), name


def of_all_types(torch) -> dict:
    names = (
        "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool complex64 complex128"
    )
    numbers = torch.tensor([[0.0, 1.5, 77.0], [1e-3, 3.0, 200.0]])
    return {name: numbers.clamp(0, 100).to(getattr(torch, name)) for name in names.split()}


@pytest.mark.parity
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_torch_all_types(tmp_path, protocol):
    torch = pytest.importorskip("torch")
    right = of_all_types(torch)
    torch.save(right, tmp_path / "w.pt", pickle_protocol=protocol)
    assert_same(open_tensors(tmp_path / "w.pt"), right)


@pytest.mark.parity
def test_torch_views(tmp_path):
    torch = pytest.importorskip("torch")
    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    right = {
        "base": base,
        "permuted": base.permute(3, 1, 0, 2),
        "sliced": base[1, ::2, 1:3, ::3],
        "last": base[1, 2, 3, 4],
        "expanded": base[:, :1, :1, 0].expand(2, 7, 3),
        "channels_last": base.to(memory_format=torch.channels_last),
        "conv": torch.randn(4, 3, 2, 2).half().to(memory_format=torch.channels_last),
        "diagonal": torch.eye(5).diagonal(),
        "empty": torch.zeros(0, 3),
        "empty_view": base[:, 3:],
        "scalar": torch.tensor(2.5, dtype=torch.bfloat16),
        "positions": torch.arange(77).expand((1, -1)),
        "parameter": torch.nn.Parameter(base[0].T),
        "buffer": torch.nn.Buffer(base[1]),
    }
    right["with_attribute"] = torch.nn.Parameter(torch.ones(3))
    right["with_attribute"].note = 3
    torch.save(right, tmp_path / "w.pt")
    assert_same(open_tensors(tmp_path / "w.pt"), right)


@pytest.mark.parity
def test_torch_checkpoint(tmp_path):
    """As open_clip and others save them: the optimizer's tensors are not read."""
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    whole = {
        "epoch": 3,
        "name": "a run",
        "state_dict": torch.nn.parallel.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=1e-3, shape=torch.Size([3]), device=torch.device("cpu"), dtype=torch.float16),
        "best": np.float64(0.5),
        "random": (np.random.default_rng(0).integers(9, size=3), torch.get_rng_state(), {1, 2}, b"bytes", 1 << 40),
        "history": collections.defaultdict(list, loss=[0.1]),
    }
    torch.save(whole, tmp_path / "all.pt")
    with zipfile.ZipFile(tmp_path / "all.pt") as full, zipfile.ZipFile(tmp_path / "w.pt", "w") as some:
        for name in full.namelist():
            if name.count("/") == 1 or name.split("/")[-1] in "0123456":  # the storages of the model
                some.writestr(name, full.read(name))
    assert sum("/data/" in name for name in full.namelist()) > 5
    for name in ("all.pt", "w.pt"):
        assert_same(open_tensors(tmp_path / name), model.state_dict())


@pytest.mark.parity
def test_torch_without_checksums(tmp_path):
    torch = pytest.importorskip("torch")
    right = {"w": torch.randn(3)}
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(right, tmp_path / "w.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert_same(open_tensors(tmp_path / "w.pt"), right)


@pytest.mark.parity
@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("sizes", ["numbers", "buffers"])
def test_torchscript_as_openai_published(tmp_path, how, sizes):
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = nn.MultiheadAttention(4, 2)
            self.ln_1 = nn.LayerNorm(4)
            self.mlp = nn.Sequential(nn.Linear(4, 8), nn.Identity(), nn.Linear(8, 4))

        def forward(self, x):
            return self.mlp(self.ln_1(x))

    class CLIP(nn.Module):
        def __init__(self):
            super().__init__()
            self.visual = nn.ModuleDict({"conv1": nn.Conv2d(3, 4, 2, bias=False), "bn": nn.BatchNorm2d(4)})
            self.transformer = nn.Sequential(Block(), Block())
            self.logit_scale = nn.Parameter(torch.tensor(4.6))
            self.names, self.shape, self.eps, self.none = ["a", "b"], [1, 2], 1e-5, None
            for name, size in (("input_resolution", 224), ("context_length", 77), ("vocab_size", 49408)):
                if sizes == "buffers":
                    self.register_buffer(name, torch.tensor(size))
                else:
                    setattr(self, name, size)

        def forward(self, x):
            return self.transformer(x) * self.logit_scale.exp()

    model = CLIP().half().eval()
    saved = torch.jit.script(model) if how == "script" else torch.jit.trace(model, torch.ones(2, 1, 4).half())
    saved.save(tmp_path / "ViT-B-32.pt")
    opened = open_tensors(tmp_path / "ViT-B-32.pt")
    right = {
        name: value
        for name, value in model.state_dict().items()
        if not name.endswith(("_resolution", "_length", "_size"))
    }
    assert_same(opened, right)
    assert "transformer.1.attn.in_proj_weight" in opened.tensors
    # Tracing leaves out what is no tensor.
    assert opened.openai == (how == "script" or sizes == "buffers")


@pytest.mark.parity
def test_what_torch_saves_and_is_not_read(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "w.pt"
    for value, message in (
        (torch.ones(3, dtype=torch.float8_e4m3fn), "the tensor 'w' is of type float8_e4m3fn: save it in float16"),
        (torch.eye(3).to_sparse(), "asks for 'torch._utils._rebuild_sparse_tensor', which weights do not need"),
        (torch.ones(3, device="meta"), "asks for 'torch._utils._rebuild_meta_tensor_no_storage'"),
        (torch.ones(3, dtype=torch.complex64).conj().imag, "_rebuild_tensor_v2 is called as PyTorch never does"),
        (
            torch.nn.Linear(2, 2),
            "asks for 'torch.nn.modules.linear.Linear'.* save its state_dict alone with torch.save",
        ),
    ):
        torch.save({"w": value}, path)
        with pytest.raises(NegjaxError, match=message):
            open_tensors(path)
    torch.save({"w": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(NegjaxError, match=r"was saved by PyTorch before 1\.6"):
        open_tensors(path)


@pytest.mark.parity
def test_safetensors_of_the_library(tmp_path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    right = {name: value for name, value in of_all_types(torch).items() if name != "complex128"}
    right |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(3, 0)}
    library.save_file(right, tmp_path / "w.safetensors", {"format": "pt"})
    opened = open_tensors(tmp_path / "w.safetensors")
    assert_same(opened, right)
    assert opened.metadata == {"format": "pt"}
    library.save_file({"w": torch.ones(3).to(torch.float8_e5m2)}, tmp_path / "8.safetensors")
    with pytest.raises(NegjaxError, match="the tensor 'w' is of type 'F8_E5M2'"):
        open_tensors(tmp_path / "8.safetensors")
