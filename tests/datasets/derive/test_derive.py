"""Derived sets: their rows are checked against the labels of the set that they are derived from."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.images import png

from negjax.commands import derive as command
from negjax.commands.parsing import Parser
from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.derive.build import derive_rows, derive_set
from negjax.datasets.derive.kinds import DERIVED_KINDS, load_row_maker
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import LabelledImages
from negjax.datasets.stored.store import open_set, write_set
from negjax.errors import NegjaxError
from negjax.language.negation import is_negated
from negjax.synthesis.labels import build_labels
from negjax.synthesis.questions import MCQ_KINDS, NEGMCQ_KINDS, TRUTH_TABLE_CELLS

NAMES = ["bus", "cat", "dog", "scissors", "umbrella"]
PLAIN = {"task_kind": "retrieval", "negated": False}


def labelled(count: int = 60) -> list[dict]:
    """Images of 0 to 4 objects; every combination size occurs more than once."""
    rng = np.random.default_rng(5)
    sizes = np.arange(count) % 5
    return [
        {
            "media": png(i),
            "captions": [f"A scene, number {i}.", f"Scene {i}"],
            "positive_objects": [NAMES[j] for j in rng.permutation(5)[: sizes[i]]],
        }
        for i in range(count)
    ]


def write(folder: Path, rows: list[dict], name: str = "source", **metadata) -> None:
    write_set(folder, name, lambda: iter(rows), ["captions"], {**PLAIN, **metadata})


@pytest.fixture
def sets(tmp_path) -> Path:
    write(tmp_path, labelled())
    return tmp_path


def derive(folder: Path, kind: str, name: str = "new", *, source: str = "source", objects=None, **limits):
    result = derive_set(DeriveRequest(kind, **limits), source, name, folder, objects=objects, progress=False)
    return result, open_set(folder, name)


def objects_by_image(rows: list[dict]) -> dict[bytes, set[str]]:
    return {row["media"]: set(row["positive_objects"]) for row in rows}


def test_the_command_offers_the_kinds_of_the_table_and_each_has_its_module(capsys):
    parser = Parser(prog="negjax data")
    command.add(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["derive", "--help"])
    text = capsys.readouterr().out
    assert (
        "{truth_table,questions,balanced,half_negated,negfull,negated_retrieval,queries,affirmation,"
        "replaced,denied,distractors}"
    ) in text
    for name, kind in DERIVED_KINDS.items():
        assert re.search(rf"^  {name} +{re.escape(kind.summary)}$", text, re.MULTILINE)
        assert load_row_maker(name).__module__ == f"negjax.datasets.derive.{name}"


def test_the_table_of_kinds_imports_nothing_heavy():
    program = "import sys, negjax.datasets.derive.kinds; assert not {'numpy', 'inflect'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_truth_table(sets):
    result, data = derive(sets, "truth_table")
    rows, objects = list(data.rows()), objects_by_image(labelled())
    assert result.rows == len(rows) == len(data)
    assert result.images == len({row["media"] for row in rows}) <= result.source_images == 60
    assert (data.fields, data.metadata["task_kind"], data.metadata["negated"]) == (("question",), "truth_table", True)
    for start in range(0, len(rows), 4):
        four = rows[start : start + 4]
        assert [row["kind"] for row in four] == list(TRUTH_TABLE_CELLS)
        assert {row["group"] for row in four} == {start // 4}
        assert len({tuple(row["options"]) for row in four}) == 1
        assert all(sorted(row["option_kinds"]) == sorted(TRUTH_TABLE_CELLS) for row in four)
        assert [row["option_kinds"][row["answer"]] for row in four] == list(TRUTH_TABLE_CELLS)
        (pair,) = {tuple(name for name in NAMES if name in row["options"][0]) for row in four}
        counts = [len(objects[row["media"]] & set(pair)) for row in four]
        assert counts == [1, 1, 2, 0]
        assert objects[four[0]["media"]] & set(pair) != objects[four[1]["media"]] & set(pair)
    assert max(Counter(row["media"] for row in rows).values()) <= 4
    assert not [text for row in rows for text in row["options"] if "draw" in text]


def test_the_metadata_name_the_source(sets):
    _, data = derive(sets, "truth_table", seed=3)
    assert data.metadata["altered"] == ""
    assert data.metadata["source"] == {
        "derived_from": "source",
        "kind": "truth_table",
        "fingerprint": open_set(sets, "source").fingerprint,
        "seed": 3,
        "medium": "photo",
        "objects": 5,
        "file": "",
        "sha256": "",
        "rows": 60,
    }


def test_blocks_are_made_one_after_the_other(sets):
    """In bounded memory: a group shows images of one block alone, and groups are numbered through."""
    derive_set(DeriveRequest("truth_table"), "source", "blocks", sets, block_images=20, progress=False)
    place = {row["media_sha256"]: i for i, row in enumerate(open_set(sets, "source").rows())}
    rows = list(open_set(sets, "blocks").rows())
    blocks = [{place[row["media_sha256"]] // 20 for row in rows[i : i + 4]} for i in range(0, len(rows), 4)]
    assert all(len(shown) == 1 for shown in blocks)
    assert set().union(*blocks) == {0, 1, 2}
    assert [row["group"] for row in rows] == [i // 4 for i in range(len(rows))]
    whole, data = derive(sets, "truth_table")
    assert whole.source_images == 60
    derive_set(DeriveRequest("truth_table"), "source", "one", sets, block_images=60, progress=False)
    assert list(open_set(sets, "one").rows()) == list(data.rows())


def test_sentences_about_clips(sets):
    source = [row | {"media": png(i)} for i, row in enumerate(labelled())]
    write(sets, source, "filmed", media_type="video")
    derive_set(DeriveRequest("questions", medium="video"), "filmed", "asked_clips", sets, progress=False)
    data = open_set(sets, "asked_clips")
    assert data.metadata["media_type"] == "video"
    assert all(text.startswith("This video ") for row in data.rows() for text in row["options"])
    with pytest.raises(NegjaxError, match="--medium video: --kind affirmation has sentences about images alone"):
        derive_set(DeriveRequest("affirmation", medium="video"), "filmed", "biased", sets, progress=False)


def test_questions(sets):
    result, data = derive(sets, "questions")
    rows, source = list(data.rows()), labelled()
    fit = [row for row in source if len(row["positive_objects"]) >= 2]
    assert [row["media"] for row in rows] == [row["media"] for row in fit]
    assert [row["kind"] for row in rows] == [MCQ_KINDS[i % 3] for i in range(len(fit))]
    assert [row["group"] for row in rows] == list(range(len(fit)))
    assert all(row["option_kinds"][row["answer"]] == row["kind"] for row in rows)
    assert data.metadata["task_kind"] == "mcq"
    assert result.notes == (f"no question about {60 - len(fit)} images, because it takes two objects",)
    _, more = derive(sets, "questions", "more", reuse=3)
    assert set(Counter(row["media"] for row in more.rows()).values()) == {3}


def test_balanced(sets):
    _, data = derive(sets, "balanced")
    rows, source = list(data.rows()), {row["media"]: row for row in labelled()}
    assert data.fields == ("captions", "negated_captions", "question")
    assert data.metadata["group_size"] == 4
    assert data.metadata["task_kind"] == "train"
    assert len(rows) == 60  # groups for a quarter of the images
    for number, row in enumerate(rows):
        source_row = source[row["media"]]
        assert row["captions"] == source_row["captions"]
        assert sorted(row["positive_objects"]) == sorted(source_row["positive_objects"])
        absent = row["negative_objects"]
        assert len(absent) == min(3, 5 - len(source_row["positive_objects"]))
        assert not set(absent) & set(source_row["positive_objects"])
        for caption, name in zip(row["negated_captions"], absent, strict=True):
            assert name in caption
            assert any(text.strip(".").lower() in caption.lower() for text in source_row["captions"])
        assert (row["group"], row["kind"]) == (number // 4, TRUTH_TABLE_CELLS[number % 4])
    tested = {text for row in derive(sets, "truth_table", "tested")[1].rows() for text in row["options"]}
    assert not tested & {text for row in rows for text in row["options"]}


def test_queries(sets):
    result, data = derive(sets, "queries")
    source = labelled()
    assert [row["media"] for row in data.rows()] == [row["media"] for row in source]
    assert [sorted(row["positive_objects"]) for row in data.rows()] == [sorted(x["positive_objects"]) for x in source]
    queries = data.metadata["queries"]
    assert {len(query["includes"]) for query in queries} == {1, 2}
    for query in queries:
        fits = [row for row in source if set(query["includes"]) <= set(row["positive_objects"])]
        excluded = [row for row in fits if set(query["excludes"]) & set(row["positive_objects"])]
        assert min(len(excluded), len(fits) - len(excluded)) >= 5
        assert query["plain"] in query["text"]
    assert result.notes == (f"{len(queries)} queries, each answered by 5 images or more",)


def test_queries_of_few_images_ask_for_fewer(tmp_path):
    rows = [{"media": png(i), "captions": [""], "positive_objects": NAMES[: 1 + i % 2]} for i in range(6)]
    write(tmp_path, rows)
    _, data = derive(tmp_path, "queries")
    assert data.metadata["least"] == 3
    assert [query["includes"] for query in data.metadata["queries"]] == [["bus"]]
    with pytest.raises(NegjaxError, match="no queries can be made of these labels: it takes an object that"):
        derive(tmp_path, "queries", "other", least=4)


def test_affirmation(sets):
    _, data = derive(sets, "affirmation")
    objects, rows = objects_by_image(labelled()), list(data.rows())
    assert data.metadata["objects"] == ["a bus", "a cat", "a dog", "scissors", "an umbrella"]
    assert data.metadata["bias_templates"]["negation"] == "This image does not include {a}"
    assert data.metadata["task_kind"] == "affirmation"
    for row in rows:
        (name,) = (name for name in NAMES if name in row["options"][0])
        present = name in objects[row["media"]]
        assert row["kind"] == ("present" if present else "absent")
        assert row["option_kinds"][row["answer"]] == ("affirmation" if present else "negation")
        assert ["does not" in option for option in row["options"]] == [x == "negation" for x in row["option_kinds"]]


@pytest.mark.parametrize("kind", DERIVED_KINDS)
def test_same_seed_same_bytes(sets, kind):
    def digest(name: str, seed: int) -> str:
        derive(sets, kind, name, seed=seed)
        (path,) = (sets / name / "1.0.0").glob("*.array_record*")
        queries = open_set(sets, name).metadata.get("queries")
        return hashlib.sha256(path.read_bytes() + repr(queries).encode()).hexdigest()

    assert digest("a", 1) == digest("b", 1) != digest("c", 2)


def test_an_image_in_several_rows_counts_once_with_all_its_labels(tmp_path):
    rows = labelled(20)
    again = [row | {"positive_objects": ["bus"], "captions": ["again"]} for row in rows[1:6]]
    write(tmp_path, rows + again)
    result, data = derive(tmp_path, "queries", least=1)
    assert (result.source_images, len(data)) == (20, 20)
    expected = [{*row["positive_objects"], *(["bus"] if 1 <= i < 6 else [])} for i, row in enumerate(rows)]
    assert [set(row["positive_objects"]) for row in data.rows()] == expected


def test_objects_can_be_given(sets):
    (sets / "objects.txt").write_text("cat\n\n dog \nzebra\n")
    _, data = derive(sets, "affirmation", objects=sets / "objects.txt")
    assert data.metadata["objects"] == ["a cat", "a dog", "a zebra"]
    assert not [row for row in data.rows() if "bus" in row["options"][0]]
    (sets / "few.txt").write_text("cat\n")
    with pytest.raises(NegjaxError, match=r"few\.txt names 1 objects: give two or more, one per line"):
        derive(sets, "affirmation", "other", objects=sets / "few.txt")
    (sets / "none.txt").write_text("zebra\ngnu\n")
    with pytest.raises(NegjaxError, match=r"no row has positive_objects of .*none\.txt"):
        derive(sets, "affirmation", "other", objects=sets / "none.txt")


def test_alterations_are_handed_on(tmp_path):
    write(tmp_path, labelled(), altered="resized to 40")
    result, data = derive(tmp_path, "truth_table")
    assert data.metadata["altered"] == "resized to 40"
    assert result.notes == ("negjax eval will refuse it, because the images of source are altered (resized to 40)",)
    result, data = derive(tmp_path, "balanced", "training")
    assert data.metadata["altered"] == "resized to 40"
    assert result.notes == ()


def test_no_more_than_the_labels_allow(sets):
    with pytest.raises(NegjaxError, match=r"--groups 900: the labels of 60 images give only \d+ groups; ask for fewer"):
        derive(sets, "truth_table", groups=900)
    with pytest.raises(NegjaxError, match=r"--groups 99: .* give only \d+ pairs of images; ask for fewer$"):
        derive(sets, "affirmation", groups=99)
    assert not (sets / "new").exists()
    _, data = derive(sets, "truth_table", groups=3)
    assert len(data) == 12


@pytest.mark.parametrize(
    ("kind", "limits", "message"),
    [
        ("tables", {}, "unknown --kind 'tables'; choose one of truth_table, questions"),
        ("queries", {"reuse": 2}, "--reuse is for --kind truth_table, questions, balanced, .*, not for queries"),
        ("questions", {"least": 2}, "--least is for --kind queries, not for questions"),
        ("questions", {"groups": 0}, "--groups 0: give 1 or more"),
        ("questions", {"seed": -1}, "--seed -1: give 0 or more"),
        ("questions", {"source": "sauce"}, "set sauce not found .*did you mean source"),
        ("questions", {"name": "source"}, "source exists already"),
    ],
)
def test_bad_requests(sets, kind, limits, message):
    with pytest.raises(NegjaxError, match=message):
        derive(sets, kind, **limits)


def test_bad_sources(tmp_path):
    write(tmp_path, [row | {"positive_objects": []} for row in labelled()], "unlabelled")
    write(tmp_path, labelled(), "negated", negated=True)
    write(tmp_path, labelled(), "clips", media_type="video")
    write(tmp_path, [row | {"positive_objects": ["cat"]} for row in labelled()], "one")
    write(
        tmp_path, [row | {"positive_objects": NAMES[: i % 4 and 2 * (i % 2)]} for i, row in enumerate(labelled())], "x"
    )
    question = {"media": png(1), "options": ["a", "b"], "answer": 0}
    write_set(tmp_path, "asked", lambda: iter([question]), ["question"], {"task_kind": "mcq", "negated": True})
    for kind, source, message in (
        (
            "questions",
            "asked",
            "set asked has no positive_objects, because it is a set of question: derive from one that",
        ),
        ("questions", "unlabelled", "set unlabelled: no row has positive_objects"),
        ("balanced", "negated", "set negated has captions that negate already: --kind balanced takes plain captions"),
        ("truth_table", "clips", "set clips is of clips, not of --medium photo: give --medium video"),
        ("truth_table", "one", "no groups can be made of these labels: it takes two objects with images of each"),
        ("questions", "one", "no questions can be made"),
        ("affirmation", "one", "no pairs of images can be made"),
    ):
        with pytest.raises(NegjaxError, match=message):
            derive(tmp_path, kind, source=source)
    derive(tmp_path, "truth_table", source="negated")  # whose labels are as good as any
    with pytest.raises(NegjaxError, match="--name source is the source itself"):
        derive_set(DeriveRequest("questions"), "source", "source", tmp_path, overwrite=True)


def test_an_image_of_everything_has_nothing_to_negate():
    images = [{"a"}, {"b"}, {"a", "b"}, set()]
    with pytest.raises(NegjaxError, match="an image holds every object"):
        derive_rows(DeriveRequest("balanced"), LabelledImages(build_labels(images), [["text"]] * 4))


def test_the_command(sets, capsys):
    parser = Parser(prog="negjax data")
    command.add(parser.add_subparsers())
    words = ["derive", "--kind", "truth_table", "--source", "source", "--name", "new", "--data-dir", str(sets)]
    args = parser.parse_args([*words, "--groups", "5", "--reuse", "2", "--seed", "4"])
    assert args.run(args) == 0
    data = open_set(sets, "new")
    images = len({row["media"] for row in data.rows()})
    assert capsys.readouterr().out == f"new: 20 rows that show {images} of 60 images, in {sets / 'new'}\n"
    assert data.metadata["source"]["seed"] == 4
    with pytest.raises(NegjaxError, match="exists already"):
        args.run(args)
    args = parser.parse_args([*words, "--groups", "1", "--overwrite"])
    assert args.run(args) == 0
    assert len(open_set(sets, "new")) == 4


@pytest.mark.slow
def test_photographs(test_data, tmp_path):
    """COCO's own labels and photographs: byte for byte, and 255 of them are enough."""
    csv, photos = test_data / "negbench" / "images" / "COCO_val_retrieval.csv", test_data / "coco_val2017"
    build_from_csv("captions", csv, photos, "coco", tmp_path, skip_missing=True, progress=False)
    originals = {path.read_bytes() for path in photos.glob("*.jpg")}
    rows = {}
    for kind in ("truth_table", "balanced", "queries"):
        result, data = derive(tmp_path, kind, kind, source="coco")
        assert {row["media"] for row in data.rows()} <= originals
        rows[kind] = result.rows
    assert rows["queries"] == 255
    assert rows["truth_table"] >= 4 * 150
    assert rows["balanced"] == 4 * (255 // 4)


def test_blank_names_are_no_objects(tmp_path):
    rows = labelled()
    for row in rows:
        row["positive_objects"] = [" ", *(f" {name} " for name in row["positive_objects"])]
    write(tmp_path, rows)
    write(tmp_path, labelled(), "clean")
    for kind in DERIVED_KINDS:
        assert (
            derive(tmp_path, kind, f"a_{kind}")[0].rows == derive(tmp_path, kind, f"b_{kind}", source="clean")[0].rows
        )
    data = open_set(tmp_path, "a_balanced")
    assert {name for row in data.rows() for name in row["positive_objects"]} <= set(NAMES)


def test_a_file_of_objects_as_windows_writes_it_and_one_that_is_misspelt(sets, tmp_path):
    path = tmp_path / "objects.txt"
    path.write_bytes(b"\xef\xbb\xbfbus\r\ncat\r\ndogg\r\n")
    result, data = derive(sets, "affirmation", objects=path)
    assert data.metadata["objects"] == ["a bus", "a cat", "a dogg"]
    assert result.notes[-1] == f"no image is labelled with 1 of the objects of {path}: dogg"
    path.write_text("bus\ncat\n")
    assert derive(sets, "affirmation", "other", objects=path)[0].notes == ()


def test_nothing_is_woven_into_an_empty_caption(tmp_path):
    rows = labelled()
    for number, row in enumerate(rows):
        row["captions"] = ["", "A scene."] if number % 2 else [" "]
    write(tmp_path, rows)
    _, data = derive(tmp_path, "balanced")
    texts = [text for row in data.rows() for text in row["negated_captions"]]
    assert not [text for text in texts if text.startswith((",", ";", ".", " ")) or text.endswith((" ", ": "))]
    assert any("scene" in text.lower() for text in texts)


def test_negfull_is_for_training(sets):
    _, data = derive(sets, "negfull")
    objects = objects_by_image(labelled())
    assert (data.metadata["task_kind"], data.metadata["negated"]) == ("train", True)
    assert {row["kind"] for row in data.rows()} == set(NEGMCQ_KINDS)
    for row in data.rows():
        assert len(row["negated_captions"]) == min(3, 5 - len(objects[row["media"]]))
        assert not set(row["negative_objects"]) & objects[row["media"]]
        assert all(is_negated(text) for text in row["negated_captions"])


def test_negated_retrieval_says_what_is_absent(sets):
    result, data = derive(sets, "negated_retrieval")
    objects = objects_by_image(labelled())
    assert data.metadata["task_kind"] == "retrieval"
    assert result.rows == sum(len(held) < 5 for held in objects.values())
    for row in data.rows():
        assert len(row["captions"]) == 2
        for caption in row["captions"]:
            (absent,) = [name for name in NAMES if name in caption]
            assert absent not in objects[row["media"]]


def test_of_partial_labels_only_listed_absences_count(tmp_path):
    """A cat is nowhere listed as absent: no question may deny it."""
    rows = labelled()
    for row in rows:
        row["negative_objects"] = [name for name in NAMES[:1] + NAMES[2:] if name not in row["positive_objects"]]
    write(tmp_path, rows, labels="partial")
    _, data = derive(tmp_path, "questions")
    assert len(data)
    for row in data.rows():
        denied = [text for text in row["options"][row["answer"] :][:1] if " not " in text]
        assert not any("cat" in text.split(" not ")[1] for text in denied)
    with pytest.raises(NegjaxError, match="set source has labels from captions: --kind queries needs complete labels"):
        derive(tmp_path, "queries", "other")
