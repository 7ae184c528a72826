"""PyTorch archives made by hand: read tensor by tensor, and nothing in a hostile file is ever executed."""

import contextlib
import copyreg
import os
import pickle
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.weight_files import FLOATS, archive, items, module, plain, tensor, values

from negjax.errors import NegjaxError
from negjax.weights.tensors import open_tensors

REFUSED = "the file was refused and nothing in it was run"


def test_views_of_one_storage(tmp_path):
    views = {
        "whole": ((8,), (1,), 0),
        "matrix": ((2, 4), (4, 1), 0),
        "transposed": ((4, 2), (1, 4), 0),
        "column": ((2,), (4,), 3),
        "rest": ((3,), (1,), 5),
        "scalar": ((), (), 7),
        "empty": ((0, 5), (5, 1), 8),
        "expanded": ((3, 2), (0, 1), 6),
        "one_side": ((1, 2), (999_999_999_999_999_999_999, 3), 1),
    }
    opcodes = {name: tensor(shape=shape, strides=strides, offset=at) for name, (shape, strides, at) in views.items()}
    opened = open_tensors(archive(tmp_path / "w", items(**opcodes)))
    right = {
        "whole": FLOATS,
        "matrix": FLOATS.reshape(2, 4),
        "transposed": FLOATS.reshape(2, 4).T,
        "column": FLOATS[3::4],
        "rest": FLOATS[5:],
        "scalar": FLOATS[7],
        "empty": np.zeros((0, 5), np.float32),
        "expanded": [[7, 8]] * 3,
        "one_side": [[2, 5]],
    }
    for name, value in values(opened).items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)
    assert list(opened.tensors) == list(views)
    assert opened.metadata == {}
    assert opened.files == (tmp_path / "w",)
    assert not opened.openai


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_the_state_dict_of_a_checkpoint(tmp_path, key):
    """Nothing else in it is read: the optimizer's storage does not exist."""
    whole = items(epoch=plain(3), optimizer=items(moment=tensor("1")), **{key: items(w=tensor(), n=plain(5))})
    assert list(values(open_tensors(archive(tmp_path / "w", whole)))) == ["w"]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_what_wraps_a_model_is_taken_off(tmp_path, prefix):
    both = {f"{prefix}a": tensor(), f"{prefix}module.b": tensor()}
    assert list(open_tensors(archive(tmp_path / "w", items(**both))).tensors) == ["a", "module.b"]
    some = items(**both, c=tensor())
    assert list(open_tensors(archive(tmp_path / "w", some)).tensors) == [*both, "c"]


@pytest.mark.parametrize("size", [plain(224), tensor(shape=(), strides=())])
def test_an_archive_of_openai(tmp_path, size):
    tree = module(
        input_resolution=size,
        context_length=size,
        vocab_size=size,
        training=b"\x88",
        visual=module(proj=tensor(), blocks=module(**{"0": module(weight=tensor()), "1": module(bias=b"N")})),
        names=b"ctorch.jit._pickle\nrestore_type_tag\n(]" + plain("List[str]") + b"tR",
        sizes=b"ctorch.jit._pickle\nbuild_intlist\n](K\x01e\x85R",
    )
    opened = open_tensors(archive(tmp_path / "w", tree, {"code/__torch__.py": b"import os"}))
    assert opened.openai
    assert list(values(opened)) == ["visual.proj", "visual.blocks.0.weight"]
    other = open_tensors(archive(tmp_path / "w", module(vocab_size=size, w=tensor())))
    assert not other.openai
    assert "w" in other.tensors


def test_a_tensor_is_read_alone(tmp_path):
    """Damage to the header of a storage affects only the tensors in that storage."""
    path = archive(tmp_path / "w", items(a=tensor(), b=tensor("1")), {"data/1": FLOATS.tobytes()})
    with zipfile.ZipFile(path) as zipped:
        at = zipped.getinfo("archive/data/1").header_offset
    content = bytearray(path.read_bytes())
    content[at : at + 4] = b"ruin"
    path.write_bytes(content)
    opened = open_tensors(path)
    np.testing.assert_array_equal(opened.tensors["a"].load(), FLOATS)
    with pytest.raises(NegjaxError, match="'archive/data/1' is not where the archive says"):
        opened.tensors["b"].load()
    path.write_bytes(content[:20])
    with pytest.raises(NegjaxError, match="w is damaged or cut short: download or copy it again"):
        opened.tensors["a"].load()


# Hostile files


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(mark: Path) -> dict[str, tuple[str, bytes]]:
    """The opcodes of values that make the file `mark` as soon as pickle reads them, and what has to be named."""
    touch, text = f"touch {mark}", plain(f"touch {mark}")
    create = f"open({str(mark)!r}, 'w')"
    return {
        "system": ("posix.system", plain(Runs(os.system, touch))),
        "eval": ("__builtin__.eval", plain(Runs(eval, create))),
        "exec": ("__builtin__.exec", plain(Runs(exec, create))),
        "popen": ("commands.check_call", plain(Runs(subprocess.check_call, touch.split()))),
        "open": ("io.open", plain(Runs(open, str(mark), "w"))),
        "getattr": ("__builtin__.getattr", plain(Runs(Path.touch, mark))),
        "protocol 4": ("posix.system", pickle.dumps(Runs(os.system, touch), 4)[11:-1]),
        "INST": ("INST", b"(" + text + b"ios\nsystem\n"),
        "OBJ": ("os.system", b"(cos\nsystem\n" + text + b"o"),
        "EXT1": ("EXT1", b"\x82\xf0" + text + b"\x85R"),
        "REDUCE in a list": ("os.system", b"](cos\nsystem\n" + text + b"\x85Re"),
        "state": ("os.system", b"ccollections\nOrderedDict\n)R}" + plain("x") + b"cos\nsystem\n" + text + b"\x85Rsb"),
        "popped": ("os.system", b"cos\nsystem\n" + text + b"\x85R0N"),
    }


@pytest.fixture
def extension():
    copyreg.add_extension("os", "system", 0xF0)
    yield
    copyreg.remove_extension("os", "system", 0xF0)


@pytest.mark.parametrize("name", attacks(Path()))
def test_nothing_of_a_hostile_file_runs(tmp_path, name, extension):
    mark = tmp_path / "mark"
    named, attack = attacks(mark)[name]
    try:
        pickle.loads(b"\x80\x02" + attack + b".")
    except Exception:  # some attacks work and then fail
        assert mark.exists()
    assert mark.exists(), "this is no attack"
    mark.unlink()
    places = {
        "whole": attack,
        "instead of a tensor": items(w=attack),
        "beside the weights": items(state_dict=items(w=tensor()), optimizer=items(state=items(a=attack))),
        "in a module": module(w=tensor(), a=attack),
        "as a storage": items(w=tensor(storage="os\nsystem")),
        "as a tensor's hooks": items(w=tensor()[:-2] + attack + b"tR"),
        "as a parameter": items(w=b"ctorch._utils\n_rebuild_parameter\n(" + attack + b"\x88NtR"),
        "as a type": items(w=b"ctorch._tensor\n_rebuild_from_type_v2\n(" + attack + b"N)NtR"),
    }
    for place, opcodes in places.items():
        with pytest.raises(NegjaxError, match=REFUSED) as caught:
            open_tensors(archive(tmp_path / "w.pt", opcodes))
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'w.pt'} asks for ")
        assert (named if place != "as a storage" else "'os.system'") in message
        assert "\n" not in message
        assert not mark.exists(), place


@pytest.mark.parametrize(
    "name",
    [
        *("torch\nload", "torch.hub\nload", "torch.jit\nload", "torch.storage\n_load_from_bytes", "torch\nops"),
        *("torch._utils\n_import_dotted_name", "torch.serialization\n_load", "torch.nn.modules.linear\nLinear"),
        *("collections\nOrderedDict.fromkeys", "builtins\ngetattr", "numpy\nload", "__torch__\n", "importlib\nx"),
    ],
)
def test_names_that_weights_do_not_need(tmp_path, name):
    full = name.replace("\n", ".")
    for opcodes in (f"c{name}\n".encode(), plain(name.split("\n")[0]) + plain(name.split("\n")[1]) + b"\x93"):
        if full == "__torch__.":  # the name of a class of the archive's own: no more than a name
            open_tensors(archive(tmp_path / "w", items(w=tensor(), x=opcodes)))
            continue
        with pytest.raises(NegjaxError, match=REFUSED) as caught:
            open_tensors(archive(tmp_path / "w", items(w=tensor(), x=opcodes)))
        assert f"asks for {full!r}, which weights do not need" in str(caught.value)


def test_a_class_of_the_archive_is_only_a_name(tmp_path):
    """A call of it is refused, and a state for the class itself as well."""
    mark = tmp_path / "mark"
    text = plain(f"touch {mark}")
    for opcodes in (
        b"c__torch__.os\nsystem\n" + text + b"\x85R",
        b"c__torch__.os\nsystem\n" + text + b"\x85\x81",
        b"c__torch__.os\nsystem\n)\x81" + text + b"\x85R",
        b"c__torch__.os\nsystem\n" + items(__setstate__=text) + b"b",
        b"ctorch._utils\n_rebuild_tensor_v2\n" + items(__defaults__=text) + b"b",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(c__torch__.os\nsystem\nN" + text + b"\x85NtR",
        tensor() + items(offset=plain(99)) + b"b",
        plain("some") + plain("text") + b"\x85R",
    ):
        with pytest.raises(NegjaxError, match="its tensors cannot be listed"):
            open_tensors(archive(tmp_path / "w", items(w=tensor(), x=opcodes)))
    assert not mark.exists()
    safe = module(__setstate__=text, __class__=text, __reduce__=text, w=tensor())
    assert list(open_tensors(archive(tmp_path / "w", safe)).tensors) == ["w"]


def test_other_pickles_of_an_archive_are_not_opened(tmp_path):
    mark = tmp_path / "mark"
    attack = pickle.dumps(Runs(os.system, f"touch {mark}"), 2)
    others = {"constants.pkl": attack, "traced_inputs.pkl": attack, "code/__torch__.py.debug_pkl": attack}
    path = archive(tmp_path / "w", module(w=tensor()), others, constants=zipfile.ZIP_DEFLATED)
    np.testing.assert_array_equal(values(open_tensors(path))["w"], FLOATS)
    assert not mark.exists()


def test_files_that_bring_python_down(tmp_path):
    """Python's pickle crashes on a key whose hash overflows the stack, and takes 17 GB for the memo's entry 2^30."""
    deep = b"}" + b")" + b"\x85" * 500_000 + b"K\x01s"
    huge = b"Nr\x00\x00\x00\x40"
    for opcodes in (deep, huge):
        np.testing.assert_array_equal(
            values(open_tensors(archive(tmp_path / "w", items(w=tensor(), x=opcodes))))["w"], FLOATS
        )
    unnamed = b")" + b"\x85" * 100_000
    for opcodes in (unnamed + b")R", unnamed + b"Q", unnamed + unnamed + b"\x93", unnamed + b"}b"):
        with pytest.raises(NegjaxError, match="its tensors cannot be listed"):
            open_tensors(archive(tmp_path / "w", items(w=tensor(), x=opcodes)))


def test_modules_without_end(tmp_path):
    circle = b"c__torch__\nA\n)\x81q\x01" + items(a=b"h\x01") + b"b"
    doubling = module(w=tensor())
    for _ in range(60):
        doubling = doubling + b"q\x01" + module(a=b"h\x01", b=b"h\x01")
    nested = module(w=tensor())
    for _ in range(600):
        nested = module(a=nested)
    for opcodes in (circle, doubling, nested):
        with pytest.raises(NegjaxError, match="its modules are too many or in a circle"):
            open_tensors(archive(tmp_path / "w", opcodes))


@pytest.mark.parametrize(
    ("opcodes", "message"),
    [
        (tensor(shape=(9,)), "the tensor 'w' reaches outside of its storage"),
        (tensor(shape=(2,), strides=(8,)), "outside of its storage"),
        (tensor(shape=(2,), offset=7), "outside of its storage"),
        (tensor(offset=-1), "outside of its storage"),
        (tensor(offset=1 << 70, shape=()), "no valid shape and strides"),
        (tensor(offset=1 << 70, shape=(1,)), "outside of its storage"),
        (tensor(offset=0.5), "outside of its storage"),
        (tensor(strides=(-1,), offset=7), "no valid shape and strides"),
        (tensor(shape=(-8,)), "no valid shape and strides"),
        (tensor(shape=(4, 2)), "no valid shape and strides"),
        (tensor(shape="8"), "no valid shape and strides"),
        (tensor(shape=(True,)), "no valid shape and strides"),
        (tensor(shape=(1,) * 65, strides=(1,) * 65), "no valid shape and strides"),
        (tensor(shape=(1 << 20, 1 << 20), strides=(0, 0)), "no valid shape and strides"),
        (tensor(shape=(0, 1 << 62, 1 << 62), strides=(1, 1, 1)), "no valid shape and strides"),
        (tensor(count=9), "the storage of 'w' is cut short"),
        (tensor(count=1 << 70), "the storage of 'w' is cut short"),
        (tensor(count=-8), "a storage is not described as PyTorch does"),
        (tensor("1"), "has no 'archive/data/1', which its tensors need"),
        (tensor("../constants"), r"the storage '../constants' is not a number"),
        (tensor("/etc/passwd"), "the storage '/etc/passwd' is not a number"),
        (tensor("²"), "the storage '²' is not a number"),
        (plain(("storage", "torch.FloatStorage", "0", "cpu", 8)) + b"Q", "a storage is not described as PyTorch does"),
        (plain("module") + b"Q", "a storage is not described as PyTorch does"),
        (tensor(storage="torch\nfloat8_e5m2"), "a storage is not described as PyTorch does"),
        (tensor()[:-2] + items(neg=b"\x88") + b"tR", "torch._utils._rebuild_tensor_v2 is called as PyTorch never does"),
        (tensor() + plain("w") + tensor() + b"u}(", "the name 'w' occurs twice"),
        (b"h\x63", "99"),
        (b"00", "refused"),
        (b"t", "pop from empty list|cannot be listed"),
        (b"\x81", "its stack is empty|cannot be listed"),
        (b"\xff", "cannot be listed"),
        (b"X\xff\xff\xff\x7fabc", "cannot be listed"),
    ],
)
def test_malformed_tensors(tmp_path, opcodes, message):
    with pytest.raises(NegjaxError, match=message) as caught:
        open_tensors(archive(tmp_path / "w.pt", items(w=opcodes)))
    assert str(caught.value).startswith(str(tmp_path / "w.pt"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("opcodes", "message"),
    [
        (plain([1, 2]), "it is not a dict of tensors"),
        (tensor(), "it is not a dict of tensors"),
        (
            items(epoch=plain(3), net=items(w=tensor())),
            "holds no tensors by name, but 'epoch', 'net': save the model's",
        ),
        (b"}", "holds no tensors by name, but nothing"),
        (module(n=plain(1)), "holds no tensors by name, but 'n'"),
        (plain("x" * (1 << 24)), "its data.pkl has 167772[0-9]+ bytes, which no list of tensors needs"),
    ],
)
def test_pickles_without_tensors(tmp_path, opcodes, message):
    with pytest.raises(NegjaxError, match=message):
        open_tensors(archive(tmp_path / "w", opcodes))


def test_malformed_archives(tmp_path):
    path, good = tmp_path / "w.pt", items(w=tensor())
    for packed, name in (({"data": zipfile.ZIP_DEFLATED}, "data.pkl"), ({"data/0": zipfile.ZIP_BZIP2}, "data/0")):
        with pytest.raises(NegjaxError, match=f"'archive/{name}' is compressed or encrypted"):
            open_tensors(archive(path, good, **packed))
    with pytest.raises(NegjaxError, match="was not saved on a little-endian machine"):
        open_tensors(archive(path, good, {"byteorder": b"big"}))
    assert open_tensors(archive(path, good, {"byteorder": b"little"})).tensors
    whole = path.read_bytes()
    for end in range(4, len(whole) - 1, 7):
        path.write_bytes(whole[:end])
        with pytest.raises(NegjaxError, match=r"w\.pt is a damaged or cut short zip archive: download"):
            open_tensors(path)
    archive(path, good)
    with zipfile.ZipFile(path, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr("archive/data/0", FLOATS.tobytes())
    with pytest.raises(NegjaxError, match="has two members of the same name: the file was refused"):
        open_tensors(path)
    archive(path, good)
    with zipfile.ZipFile(path, "a") as more:
        more.writestr("other/data.pkl", b"")
    with pytest.raises(NegjaxError, match="a zip archive, but not one of PyTorch's"):
        open_tensors(path)
    np.savez(tmp_path / "w.npz", w=FLOATS)
    with pytest.raises(NegjaxError, match="a zip archive, but not one of PyTorch's"):
        open_tensors(tmp_path / "w.npz")


def test_damage_anywhere_is_one_line(tmp_path):
    """Whichever bytes are altered, the file opens or raises a NegjaxError."""
    path, rng = tmp_path / "w", np.random.default_rng(0)
    for tree in (items(w=tensor()), module(a=module(w=tensor()))):
        whole = np.frombuffer(archive(path, tree).read_bytes(), np.uint8)
        for _ in range(300):
            altered = whole.copy()
            altered[rng.integers(whole.size, size=rng.integers(1, 4))] = rng.integers(256)
            path.write_bytes(altered.tobytes())
            with contextlib.suppress(NegjaxError):
                values(open_tensors(path))
