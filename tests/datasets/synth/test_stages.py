"""The stages of `negjax synth`, from a table to sets: resumable, the same bytes however they are split."""

import csv
import re
import shutil
from pathlib import Path

import pyarrow.parquet
import pytest
from support.command import run_command
from support.folders import digests
from support.images import noise_png

from negjax.datasets.labels.label_file import read_labels
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set
from negjax.datasets.synth import shards
from negjax.datasets.synth.extract import run_extract
from negjax.datasets.synth.propose import ProposeSettings, run_propose
from negjax.datasets.synth.shards import Share, parse_share, read_stage
from negjax.datasets.synth.verify import KnownLabels, run_verify
from negjax.datasets.synth.write import WriteSettings, run_write
from negjax.errors import NegjaxError
from negjax.evaluation.made_sets import check_sets
from negjax.language.negation import is_negated

SCENES = {
    "dog": ["A dog runs on the beach", "A brown dog at the beach"],
    "horse": ["A horse pulls a cart", "The horse and its cart"],
    "boat": ["A boat on a lake", "A small boat crosses the lake"],
    "guitar": ["A guitar leans on a sofa", "A guitar on the sofa"],
    "skateboard": ["A skateboard on a ramp", "Someone rides a skateboard over the ramp"],
}
IMAGES = 100
RISK = 0.2  # so few images say little


def write_photos(folder: Path) -> Path:
    """Photographs and a table like Flickr8k's: a caption a row, the rows of an image after each other."""
    (folder / "photos").mkdir(parents=True)
    table = folder / "captions.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption"])
        for i in range(IMAGES):
            (folder / "photos" / f"{i}.png").write_bytes(noise_png(i, (16, 16)))
            rows.writerows([f"{i}.png", caption] for caption in list(SCENES.values())[i % 5])
    return table


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr("negjax.datasets.synth.extract.IMAGES_PER_SHARD", 30)
    return write_photos(tmp_path)


def run_stages(table: Path, out: Path, share: Share = Share()) -> None:
    source = table_source("captions", table, table.parent / "photos")
    run_extract(source, out, share=share, progress=False)
    run_propose(out, ProposeSettings(max_risk=RISK), share=share, progress=False)
    run_verify(out, share=share, progress=False)


@pytest.mark.slow
def test_the_whole_way(table, tmp_path, capsys):
    words = ["synth", "all", "--csv", table, "--media-root", tmp_path / "photos", "--out", tmp_path / "out"]
    words += ["--name", "mine", "--data-dir", tmp_path / "data", "--test-share", 0.4, "--max-risk", RISK]
    code, out, err = run_command(capsys, *words)
    assert code == 0, err
    train, test = (open_set(tmp_path / "data", f"mine_{part}") for part in ("train", "test"))
    shown = [{row["media_sha256"] for row in data.rows()} for data in (train, test)]
    assert len(train) + len(test) == IMAGES
    assert not shown[0] & shown[1]
    negfull = open_set(tmp_path / "data", "mine_negfull")
    assert negfull.metadata["task_kind"] == "train"
    for row in negfull.rows():
        assert len(row["negated_captions"]) == 3
        assert all(map(is_negated, row["negated_captions"]))
        told = " ".join(row["captions"]).lower()
        assert not any(name in told for name in row["negative_objects"])
        assert {row["media_sha256"]} <= shown[0]
    half = list(open_set(tmp_path / "data", "mine_half_negated").rows())
    assert len(half) % 4 == 0 < len(half)
    assert all(sum(map(is_negated, row["options"])) == 2 for row in half)
    assert {row["media_sha256"] for row in half} <= shown[1]
    assert "a scorer of texts alone gets 25.0%, chance is 25%" in out + err
    card = (tmp_path / "out" / "card.md").read_text()
    assert all(f"| mine_{name} |" in card for name in ("train", "test", "negfull", "half_negated"))
    before = digests(tmp_path, "*.parquet")
    assert run_command(capsys, *words)[0] == 0  # resumes: all is there
    assert digests(tmp_path, "*.parquet") == before


def test_any_number_of_processes_writes_the_same_bytes(table, tmp_path):
    run_stages(table, tmp_path / "one")
    source = table_source("captions", table, table.parent / "photos")
    parts = [parse_share(text) for text in ("1/3", "0/3", "2/3")]
    for part in parts[:2]:
        run_extract(source, tmp_path / "three", share=part, progress=False)
    with pytest.raises(NegjaxError, match=r"stage extract has made 3 of 4 shards: run negjax synth extract first"):
        run_propose(tmp_path / "three", ProposeSettings(max_risk=RISK), progress=False)
    run_extract(source, tmp_path / "three", share=parts[2], progress=False)
    for part in parts:
        run_propose(tmp_path / "three", ProposeSettings(max_risk=RISK), share=part, progress=False)
    for part in parts:
        run_verify(tmp_path / "three", share=part, progress=False)
    assert len(digests(tmp_path / "one", "*.parquet")) == 12
    assert digests(tmp_path / "three", "*.parquet") == digests(tmp_path / "one", "*.parquet")


def test_a_stopped_stage_goes_on(table, tmp_path, monkeypatch):
    run_stages(table, tmp_path / "one")
    written = []

    def stop_at_the_third(path, *shard):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        shards.write_shard(path, *shard)

    monkeypatch.setattr("negjax.datasets.synth.extract.write_shard", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_stages(table, tmp_path / "two")
    monkeypatch.undo()
    monkeypatch.setattr("negjax.datasets.synth.extract.IMAGES_PER_SHARD", 30)
    kept = {path: Path(path).stat().st_mtime_ns for path in written}
    run_stages(table, tmp_path / "two")
    assert {path: Path(path).stat().st_mtime_ns for path in written} == kept
    assert digests(tmp_path / "two", "*.parquet") == digests(tmp_path / "one", "*.parquet")


def edit(shard: Path, change) -> None:
    """Edits the first row of a shard, as a user does with a tool that knows nothing of this project."""
    rows = pyarrow.parquet.read_table(shard).to_pylist()
    change(rows[0])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), shard)


def deny_dragon(row: dict) -> None:
    row["negative_objects"], row["risks"] = ["dragon"], [0.0]


def made(out: Path, stage: str) -> list[tuple[int, int]]:
    """When each shard was written, and which file it is."""
    return [((stat := path.stat()).st_mtime_ns, stat.st_ino) for path in sorted((out / stage).glob("*.parquet"))]


def write_sets(tmp_path: Path) -> list[str]:
    settings = WriteSettings("mine", tmp_path / "data", tmp_path / "photos", test_share=0.4)
    return run_write(tmp_path / "out", settings, progress=False)


def test_nothing_changed_is_kept(table, tmp_path):
    out = tmp_path / "out"
    run_stages(table, out)
    before = {stage: made(out, stage) for stage in shards.STAGES}
    run_stages(table, out)
    assert {stage: made(out, stage) for stage in shards.STAGES} == before
    assert [len(files) for files in before.values()] == [4, 4, 4]


def test_an_edited_shard_is_used_and_never_overwritten(table, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data"
    run_stages(table, out)
    write_sets(tmp_path)
    before = made(out, "verify")
    edited = out / "propose" / "00001.parquet"
    edit(edited, deny_dragon)
    content = edited.read_bytes()
    with pytest.raises(NegjaxError, match=r"1 of 4 shards of stage verify .* run negjax synth verify again"):
        write_sets(tmp_path)
    run_stages(table, out)
    assert edited.read_bytes() == content
    assert [old == new for old, new in zip(before, made(out, "verify"))] == [True, False, True, True]
    assert list(read_stage(out, "verify"))[30]["negative_objects"] == ["dragon"]
    with pytest.raises(NegjaxError, match=r"set mine_.* is of other rows .* run negjax synth write again"):
        check_sets(out, "mine", data)
    write_sets(tmp_path)
    absent = [row["negative_objects"] for part in ("train", "test") for row in open_set(data, f"mine_{part}").rows()]
    assert absent.count(["dragon"]) == 1
    base, derived = (open_set(data, f"mine_{name}") for name in ("train", "negfull"))
    assert derived.metadata["source"]["fingerprint"] == base.fingerprint
    with pytest.raises(NegjaxError, match=r"00001.parquet was edited, .* delete it"):
        run_propose(out, ProposeSettings(max_risk=0.5), progress=False)
    assert edited.read_bytes() == content


def test_an_earlier_stage_of_other_settings_is_used(table, tmp_path):
    out = tmp_path / "out"
    run_stages(table, out)
    former = list(read_stage(out, "verify"))
    run_propose(out, ProposeSettings(max_risk=0.02), share=Share(0, 2), progress=False)
    with pytest.raises(NegjaxError, match=r"2 of 4 shards of stage propose .* run negjax synth propose again"):
        run_verify(out, progress=False)
    run_propose(out, ProposeSettings(max_risk=0.02), share=Share(1, 2), progress=False)
    run_verify(out, progress=False)
    anew = list(read_stage(out, "verify"))
    assert [row["negative_objects"] for row in anew] == [row["negative_objects"] for row in read_stage(out, "propose")]
    assert sum(len(row["risks"]) for row in anew) < sum(len(row["risks"]) for row in former)
    run_stages(table, tmp_path / "fresh")
    run_stages(table, out)  # and back
    assert digests(out, "*.parquet") == digests(tmp_path / "fresh", "*.parquet")


def test_an_edited_or_other_input_changes_all_later_stages(table, tmp_path):
    out = tmp_path / "out"
    run_stages(table, out)
    before = made(out, "propose")
    edit(out / "extract" / "00003.parquet", lambda row: row.update(positive_objects=[], mentions=[]))
    run_stages(table, out)
    assert not set(made(out, "propose")) & set(before)  # counts over all shards
    (out / "extract" / "00003.parquet").unlink()
    table.write_text(table.read_text() + "".join(f"more/{i}.png,A dog on a sofa\n" for i in range(60)))
    run_stages(table, out)
    run_stages(table, tmp_path / "fresh")
    assert digests(out, "*.parquet") == digests(tmp_path / "fresh", "*.parquet")


def test_a_stopped_stage_of_another_input_has_not_ended(table, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_stages(table, out)
    table.write_text(table.read_text() + "".join(f"more/{i}.png,A dog on a sofa\n" for i in range(60)))
    written = []

    def stop_at_the_fifth(path, *shard):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(path)
        shards.write_shard(path, *shard)

    monkeypatch.setattr("negjax.datasets.synth.extract.write_shard", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        run_stages(table, out)
    with pytest.raises(NegjaxError, match="stage extract has not ended"):
        run_propose(out, ProposeSettings(max_risk=RISK), progress=False)


def test_only_sets_of_this_folder_are_replaced(table, tmp_path):
    run_stages(table, tmp_path / "out")
    write_sets(tmp_path)
    shutil.rmtree(tmp_path / "out" / "write")  # as if another --out had written them
    edit(tmp_path / "out" / "verify" / "00000.parquet", deny_dragon)
    with pytest.raises(NegjaxError, match=r"made of something else, and not by negjax synth write of .*: delete it"):
        write_sets(tmp_path)


def test_what_a_build_left_that_was_killed_at_its_very_end_is_removed(table, tmp_path):
    run_stages(table, tmp_path / "out")
    write_sets(tmp_path)
    before = sorted(path.name for path in (tmp_path / "data").iterdir())
    for name in before:
        (tmp_path / "data" / f"{name}.building").mkdir()
        (tmp_path / "data" / f"{name}.building" / "lock").touch()
    write_sets(tmp_path)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == before


def test_a_refused_build_goes_on_with_the_right_folder(table, tmp_path):
    run_stages(table, tmp_path / "out")
    (tmp_path / "wrong").mkdir()
    wrong = WriteSettings("mine", tmp_path / "data", tmp_path / "wrong", test_share=0.4)
    with pytest.raises(NegjaxError, match=r"their images do not exist below .*wrong"):
        run_write(tmp_path / "out", wrong, progress=False)
    write_sets(tmp_path)
    assert len(open_set(tmp_path / "data", "mine_train")) > 0


def test_sets_that_can_no_longer_be_made_are_removed(table, tmp_path):
    run_stages(table, tmp_path / "out")
    write_sets(tmp_path)
    assert (tmp_path / "data" / "mine_half_negated").exists()
    for shard in (tmp_path / "out" / "verify").glob("*.parquet"):
        rows = pyarrow.parquet.read_table(shard).to_pylist()
        edited = [row | {"negative_objects": [], "risks": []} for row in rows]
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(edited, pyarrow.schema(shards.stage_columns("verify").items())), shard
        )
    with pytest.raises(NegjaxError, match="too few objects for any set"):
        write_sets(tmp_path)
    assert not (tmp_path / "data" / "mine_half_negated").exists()


def test_labels_replace_captions(tmp_path):
    table = tmp_path / "labels.csv"
    rows = [f'{i}.jpg,"[\'x\']","{["cat", "dog"] if i % 2 else ["tree"]}"' for i in range(20)]
    table.write_text("filepath,captions,positive_objects\n" + "\n".join(rows) + "\n")
    run_extract(table_source("captions", table, tmp_path), tmp_path / "out", labelled=True, progress=False)
    run_propose(tmp_path / "out", ProposeSettings(max_risk=RISK), progress=False)
    for i, row in enumerate(read_stage(tmp_path / "out", "propose")):
        assert row["positive_objects"] == (["cat", "dog"] if i % 2 else ["tree"])
        assert not set(row["negative_objects"]) & set(row["positive_objects"])
        assert row["risks"] == [0.0] * len(row["negative_objects"])


def test_labels_refute_what_is_there(table, tmp_path):
    run_stages(table, tmp_path / "out")
    claimed = list(read_stage(tmp_path / "out", "propose"))
    there = claimed[0]["negative_objects"][0]
    labels = tmp_path / "labels.csv"
    labels.write_text(f"filepath,positive_objects\n0.png,\"['{there}']\"\n")
    run_verify(tmp_path / "out", KnownLabels(read_labels(labels)), progress=False)
    kept = list(read_stage(tmp_path / "out", "verify"))
    assert there not in kept[0]["negative_objects"]
    assert len(kept[0]["negative_objects"]) < len(claimed[0]["negative_objects"])
    assert [row["negative_objects"] for row in kept[1:]] == [row["negative_objects"] for row in claimed[1:]]
    assert {row["checked_by"] for row in kept} == {"labels"}


def test_a_dry_run_writes_nothing(table, tmp_path, capsys):
    words = ["--csv", table, "--media-root", tmp_path / "photos", "--out", tmp_path / "out"]
    names = ["--name", "mine", "--data-dir", tmp_path / "data", "--test-share", 0.4, "--max-risk", RISK]
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run_command(capsys, "synth", "all", *words, *names, "--dry-run")
    assert code == 0, err
    assert sorted(tmp_path.rglob("*")) == before
    told = out + err
    assert "extract: 200 rows of 100 images; about 1 s in one process" in told
    assert "by the first 100 images; nothing was written" in told
    claimed = re.search(r"verify: about ([\d,]+) claims of 100 images", told)[1]
    run_stages(table, tmp_path / "out")
    assert int(claimed.replace(",", "")) == sum(
        len(row["negative_objects"]) for row in read_stage(tmp_path / "out", "propose")
    )
    code, out, err = run_command(capsys, "synth", "extract", *words, "--dry-run")
    assert "; 4 shards exist already and are kept" in out + err
    (tmp_path / "photos" / "3.png").unlink()
    write = ["--media-root", tmp_path / "photos", "--out", tmp_path / "out", *names[:4]]
    code, out, err = run_command(capsys, "synth", "write", *write, "--dry-run")
    assert "rows of mine_negfull" in out + err
    assert "1 of the 100 images are not below" in out + err
    assert not (tmp_path / "data").exists()


def test_odd_captions(tmp_path):
    table = tmp_path / "odd.csv"
    texts = ["", "word " * 3_000, "犬と猫 🐕", "<p>A dog &amp; a cat</p>", "a dog", "there is no dog"]
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filepath", "caption"])
        rows.writerows([f"{min(i, 4)}.jpg", text] for i, text in enumerate(texts))
        rows.writerow(["", "a row without an image"])
    facts = run_extract(table_source("captions", table, tmp_path), tmp_path / "out", progress=False)
    assert (facts["images"], facts["malformed"]) == (5, 1)
    assert "filepath or image_path is empty" in facts["first_malformed"]
    found = pyarrow.parquet.read_table(tmp_path / "out" / "extract" / "00000.parquet").to_pylist()
    assert [row["positive_objects"] for row in found] == [[], [], [], ["dog", "cat"], []]
    assert found[1]["remark"] == "longer than 2,000 characters"
    assert found[4]["remark"] == "captions contradict each other: dog"


def test_rows_of_an_image_must_follow_each_other(tmp_path):
    table = tmp_path / "mixed.csv"
    table.write_text("filepath,caption\na.jpg,a dog\nb.jpg,a cat\na.jpg,a beach\n")
    with pytest.raises(NegjaxError, match=r"the rows of 1 images do not follow each other \(one is a.jpg\): sort"):
        run_extract(table_source("captions", table, tmp_path), tmp_path / "out", progress=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["propose", "--out", "OUT"], "stage extract has not ended: run negjax synth extract first"),
        (["propose", "--out", "OUT", "--max-risk", "2"], "--max-risk 2.0: it is a probability"),
        (["propose", "--out", "OUT", "--shard", "2/2"], "--shard '2/2' is not I/N"),
        (["extract", "--out", "OUT", "--csv", "x.csv"], "--media-root not given"),
        (["check", "--out", "OUT", "--name", "x", "--data-dir", "OUT"], "OUT"),
    ],
)
def test_bad_requests(tmp_path, capsys, words, message):
    words = [str(tmp_path) if word == "OUT" else word for word in words]
    code, _, err = run_command(capsys, "synth", *words)
    assert code != 0
    assert message.replace("OUT", str(tmp_path)) in err
    assert err.count("\n") == 1
