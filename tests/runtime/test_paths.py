"""Which paths are supported, whatever flag, setting or function takes them; nothing is made of the others."""

from pathlib import Path

import pytest
from support.command import run_command

from negjax.config import SetSource, Suite
from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.sources.json_files import json_source
from negjax.datasets.sources.tfds_datasets import tfds_source
from negjax.datasets.sources.webdataset import webdataset_source
from negjax.datasets.stored.store import list_sets, open_set, write_set
from negjax.datasets.suite import build_suite
from negjax.errors import NegjaxError
from negjax.runtime.files import check_writable, write_atomic
from negjax.runtime.paths import is_local, to_local_path, to_path
from negjax.training.workdir import check_workdir
from negjax.weights.read import read_model

FOREIGN = (
    "s3://bucket/x",
    "az://c/x",
    "https://host/x",
    "http://host/x",
    "file:///x",
    "foo://x",
    "hf://o/n",
    "S3://b/x",
)
CONFIG = """
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.model = {"arch": "tiny"}
    config.sources = {"a": {"dataset": "a", "batch_size": 8, "contrastive": 1.0}}
    config.data_dir = "x"
    config.steps = 2
    return config
"""
FILES = {"c.csv": "filepath,captions\na.jpg,['x']\n", "c.json": '[{"a": 1}]', "c.py": CONFIG}
EVAL = ["eval", "--model", "m", "--tasks", "t", "--data-dir", "d", "--out", "o"]
BUILD = ["data", "build", "--kind", "captions", "--csv", "f.csv", "--media-root", "m", "--name", "n", "--data-dir", "d"]
FLAGS = [  # command, its flags that take a path
    (EVAL, ["--model", "--data-dir", "--out", "--cache-dir"]),
    (BUILD, ["--csv", "--media-root", "--data-dir", "--classnames", "--templates", "--webdataset", "--json", "--tfds"]),
    (["data", "derive", "--kind", "balanced", "--source", "s", "--name", "n", "--data-dir", "d"], ["--objects"]),
    (["data", "suite", "--config", "c", "--media-root", "m", "--data-dir", "d"], ["--files", "--media-root"]),
    (["data", "list", "--data-dir", "d"], ["--data-dir"]),
    (["train", "--config", "c.py", "--workdir", "w"], ["--workdir", "--config.data_dir", "--config.model.init_from"]),
    (["quickstart"], ["--workdir"]),
    (["report", "r", "--out", "o.html"], ["--out", "--data-dir"]),
    (["convert", "a", "b", "--share", "0.5"], ["--mix"]),
    (["compile", "--config", "c.py", "--topology", "v5e:4x4"], ["--json"]),
]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def refusal(capsys, *words: str) -> str:
    """The one line in which the command refuses these words."""
    try:
        code, _, err = run_command(capsys, *words)
    except SystemExit as stop:  # the parser's way
        code, err = stop.code, capsys.readouterr().err
    assert code == 2
    assert len(err.splitlines()) == 1, err
    return err


@pytest.mark.parametrize(("words", "flags"), FLAGS, ids=[" ".join(words[:2]) for words, _ in FLAGS])
def test_every_flag_refuses_other_schemes(words, flags, folder, capsys):
    for flag in flags:
        for path in FOREIGN:
            line = refusal(capsys, *words, f"{flag}={path}")
            assert f"{path.partition('://')[0]}:// is not supported" in line
            assert flag.removeprefix("--") in line
    assert names(folder) == list(FILES)


@pytest.mark.parametrize("path", FOREIGN)
def test_words_without_a_flag(path, folder, capsys):
    for words in (["convert", path, "b"], ["convert", "a", path], ["report", path, "--out", "o.html"]):
        assert "is not supported" in refusal(capsys, *words)
    assert "is not supported" in refusal(capsys, "train", "--workdir", "w", "--config", f"{path}.py")
    assert names(folder) == list(FILES)


@pytest.mark.parametrize("path", FOREIGN)
def test_python_functions_refuse_them_too(path, folder):
    calls = [
        lambda: read_model(path),
        lambda: open_set(path, "a"),
        lambda: list_sets(path),
        lambda: write_set(path, "a", lambda: iter(()), ["captions"], {}),
        lambda: build_from_csv("captions", path, ".", "a", "d"),
        lambda: build_from_csv("captions", "c.csv", path, "a", "d"),
        lambda: build_from_csv("captions", "c.csv", ".", "a", path),
        lambda: json_source(path, "."),
        lambda: json_source("c.json", path),
        lambda: webdataset_source("captions", f"{path}/*.tar"),
        lambda: folder_source(path, None, "simple"),
        lambda: tfds_source(path, "test", None, "simple"),
        lambda: list(build_suite(Suite({"a": SetSource("captions", file="c.csv")}), path, ".", "d")),
        lambda: list(build_suite(Suite({"a": SetSource("folder", file="c")}), ".", path, "d")),
        lambda: check_workdir(path, None),
        lambda: check_writable(path),
        lambda: write_atomic(path, "x"),
        lambda: write_atomic(Path(path), "x"),  # pathlib makes s3:/bucket of s3://bucket
    ]
    for call in calls:
        with pytest.raises(NegjaxError, match=r":// is not supported: "):
            call()
    assert names(folder) == list(FILES)


def test_a_path_that_pathlib_has_shortened():
    with pytest.raises(NegjaxError, match="gs:/bucket/x: write it as gs://bucket/x"):
        to_path(Path("gs://bucket/x"))


def test_local_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(to_path("~/a")) == "/home/someone/a"
    assert str(to_path("~")) == "/home/someone"
    assert str(to_path("~a/b")) == "~a/b"
    assert str(to_path("a:b/c")) == "a:b/c"
    assert str(to_path("d/s3:/x")) == "d/s3:/x"
    assert is_local("a/b")
    assert not is_local("gs://a/b")


def test_the_quickstart_is_local(folder, capsys):
    with pytest.raises(NegjaxError, match=r"--workdir gs://b/x: it must be a local path|gs:// needs gcsfs"):
        to_local_path("gs://b/x", "--workdir")


def test_a_link_to_nowhere(tmp_path):
    link = tmp_path / "run"
    link.symlink_to(tmp_path / "gone")
    for path in (link, link / "deeper"):
        with pytest.raises(NegjaxError, match=rf"{link} is a link to {tmp_path}/gone, which is missing"):
            check_workdir(path, None)
    assert names(tmp_path) == ["run"]
