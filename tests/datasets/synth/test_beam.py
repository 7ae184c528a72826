"""`negjax synth` with Apache Beam's DirectRunner: the bytes of one process and of --shard."""

import csv
import sys
from pathlib import Path

import pytest
from support.command import run_command
from support.folders import digests

from negjax.datasets.sources.table_source import table_source
from negjax.datasets.synth.extract import run_extract
from negjax.datasets.synth.propose import ProposeSettings, run_propose
from negjax.datasets.synth.shards import Share
from negjax.datasets.synth.verify import run_verify

SCENES = [
    "A dog on a beach",
    "A horse and a cart",
    "A boat on a lake",
    "No guitar on the sofa",
    "A boy on a skateboard",
]
WORKERS = "--runner=DirectRunner --direct_num_workers={} --direct_running_mode={}"


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    """Two captions an image, in rows of their own, which a shard of the source may end between."""
    monkeypatch.setattr("negjax.datasets.synth.extract.IMAGES_PER_SHARD", 30)
    monkeypatch.setattr("negjax.datasets.sources.table_source.SHARD_ROWS", 45)
    table = tmp_path / "captions.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filepath", "caption"])
        for i in range(100):
            rows.writerows([f"{i}.png", text] for text in (SCENES[i % 5], SCENES[i * 7 % 11 % 5]))
            if i % 40 == 3:
                rows.writerow(["", "a row without an image"])
    return table


def made(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in digests(folder).items() if "settings" not in name.rpartition("/")[2]}


def run_in_shares(table: Path, out: Path, count: int) -> None:
    source = table_source("captions", table, table.parent)
    for share in (Share(i, count) for i in range(count)):
        run_extract(source, out, share=share, progress=False)
    for share in (Share(i, count) for i in range(count)):
        run_propose(out, ProposeSettings(max_risk=0.2), share=share, progress=False)
    for share in (Share(i, count) for i in range(count)):
        run_verify(out, share=share, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "mode"), [(1, "in_memory"), (2, "multi_processing")])
def test_the_same_bytes_for_any_number_of_workers(table, tmp_path, capsys, workers, mode):
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    run_in_shares(table, tmp_path / "one", 1)
    run_in_shares(table, tmp_path / "three", 3)
    expected = made(tmp_path / "one")
    assert len(expected) == 25  # three stages of four shards with their records, and the facts of the input
    assert made(tmp_path / "three") == expected
    out = ["--out", tmp_path / "beam", "--beam", WORKERS.format(workers, mode)]
    stages = [
        ["extract", "--csv", table, "--media-root", tmp_path],
        ["propose", "--max-risk", 0.2],
        ["verify"],
    ]
    for words in stages:
        code, _, err = run_command(capsys, "synth", *words, *out)
        assert code == 0, err
    assert made(tmp_path / "beam") == expected
    (tmp_path / "beam" / "propose" / "00002.parquet").unlink()
    assert run_command(capsys, "synth", "propose", "--max-risk", 0.2, *out)[0] == 0  # makes what is missing
    assert made(tmp_path / "beam") == expected
    code, _, err = run_command(capsys, "synth", "propose", "--shard", "0/2", *out)
    assert code == 2
    assert "--shard is for processes without --beam" in err


def test_without_beam(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)  # as if it were not installed
    words = ["extract", "--csv", table, "--media-root", tmp_path, "--out", tmp_path / "out", "--beam", ""]
    code, _, err = run_command(capsys, "synth", *words)
    assert code == 2
    assert "--beam needs the extra beam: pip install 'negjax[beam]'" in err
