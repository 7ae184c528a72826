"""FACTOR-Bench from its JSON file to figures, the report and paired comparison; checked by plain NumPy."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from negjax.cli import main
from negjax.datasets.sources.json_files import json_source
from negjax.datasets.sources.rows import refuse_row
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.report.report import write_report
from negjax.evaluation.results import write_results
from negjax.evaluation.tasks.kind import item_credits
from negjax.media.decoding import decode
from negjax.media.images import to_pixels

PAIRS_OF_ONE_MEANING = [
    ("a dog and a cat", "a cat and a dog"),
    ("there is not no dog", "there is a dog"),
    ("a kite", "a kite"),  # the same text: no difference at all
]


def sample(split: str, operator: str, number: int, captions: tuple[str, str], correct: str) -> dict:
    """An item with all keys of the published schema."""
    return {
        "sample_id": f"{operator.lower()}_{number:04d}",
        "test_type": split,
        "operator": operator,
        "image_id": number,
        "image": f"val2017/{number:012d}.jpg",
        "caption_a": captions[0],
        "caption_b": captions[1],
        "correct": correct,
        "parse_a": {"concepts": [{"text": "dog", "is_negated": False}], "operator": "SINGLE"},
        "parse_b": {"concepts": [{"text": "dog", "is_negated": True}], "operator": "SINGLE"},
        "meta": {"difficulty": "easy", "present": [], "absent": ["dog"]},
    }


@pytest.fixture(scope="module")
def factor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with factor_bench.json as published, the same as .jsonl, and its images in coco/val2017."""
    folder = tmp_path_factory.mktemp("factor")
    (folder / "coco" / "val2017").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for number in range(8):
        pixels = rng.integers(256, size=(24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "coco" / "val2017" / f"{number:012d}.jpg")
    samples = [
        sample("operator", "NOT", 0, ("a dog", "there is no dog"), "b"),
        sample("operator", "NOT", 1, ("without a cat", "a cat"), "a"),
        sample("operator", "NEITHER", 2, ("a dog or a cat", "neither a dog nor a cat"), "b"),
        sample("compound", "COMPOUND", 3, ("a dog and a kite but no cat", "a dog and a cat but no kite"), "a"),
        *(sample("equivalence", "COMM_AND", 4 + i, pair, "both") for i, pair in enumerate(PAIRS_OF_ONE_MEANING)),
    ]
    header = {"name": "FACTOR-Bench", "version": "1.0", "n_samples": 7, "splits": {"operator": 3, "compound": 1}}
    (folder / "factor_bench.json").write_text(json.dumps(header | {"samples": samples}))
    (folder / "factor_bench.jsonl").write_text("".join(json.dumps(item) + "\n" for item in samples))
    return folder


def build(factor: Path, data_dir: Path, split: str, file: str = "factor_bench.json") -> int:
    words = ["--kind", "pairs", "--json", factor / file, "--media-root", factor / "coco", "--split", split]
    return main(["data", "build", *map(str, words), "--name", split, "--data-dir", str(data_dir)])


@pytest.fixture(scope="module")
def data_dir(factor, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert [build(factor, folder, split) for split in ("operator", "compound", "equivalence")] == [0, 0, 0]
    return folder


def test_operators_are_questions_and_equivalences_are_pairs(factor, data_dir, tmp_path):
    operator, equivalence = (open_set(data_dir, name) for name in ("operator", "equivalence"))
    assert operator.metadata["task_kind"] == "pairs"
    rows = [(row["options"], row["answer"], row["kind"]) for row in operator.rows()]
    assert rows == [
        (["a dog", "there is no dog"], 1, "NOT"),
        (["without a cat", "a cat"], 0, "NOT"),
        (["a dog or a cat", "neither a dog nor a cat"], 1, "NEITHER"),
    ]
    assert equivalence.metadata["task_kind"] == "equivalence"
    assert [tuple(row["captions"]) for row in equivalence.rows()] == PAIRS_OF_ONE_MEANING
    # one object a line is the same set
    assert build(factor, tmp_path, "operator", "factor_bench.jsonl") == 0
    assert open_set(tmp_path, "operator").metadata["content"] == operator.metadata["content"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("operators", r"unknown --split 'operators'; choose one of operator, compound, equivalence"),
        ("", r"FACTOR-Bench needs --split; choose one of operator, compound, equivalence"),
    ],
)
def test_a_split_must_be_named(factor, tmp_path, capsys, split, message):
    assert build(factor, tmp_path, split) == 2
    assert message in capsys.readouterr().err


def test_separators_of_lines_inside_a_caption_do_not_end_an_item(tmp_path, factor):
    items = [sample("operator", "NOT", 0, ("a\u2028dog", "no\x85dog"), "b")]
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(item, ensure_ascii=False) + "\r\n" for item in items))
    source = json_source(tmp_path / "lines.jsonl", factor / "coco", "operator")
    (row,) = source.read(refuse_row)
    assert row.record["options"] == ["a\u2028dog", "no\x85dog"]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def test_the_figures_are_those_of_plain_numpy(model, data_dir):
    data = open_set(data_dir, "equivalence")
    results = evaluate(model, [data, open_set(data_dir, "operator")], progress=False)
    images, differences = [], []
    for row in data.rows():
        pixels = to_pixels(decode(row["media"], "image"), model.preprocess)
        image = unit(np.asarray(model.encode_image(pixels[None]), np.float64))[0]
        texts = unit(np.asarray(model.encode_text(model.tokenizer(row["captions"])), np.float64))
        images.append(image)
        differences.append((texts[0] - texts[1]) @ image)
    task = results.results["tasks"]["equivalence"]
    violations = np.abs(differences) > 0.001
    assert 0 < violations.sum() < 3  # a case of each, or nothing is shown
    assert task["metrics"] == {"violation_rate": pytest.approx(violations.mean())}
    columns = results.predictions["equivalence"]
    np.testing.assert_allclose(columns["score_a"] - columns["score_b"], differences, atol=2e-6)
    assert columns["score_a"][2] == columns["score_b"][2]  # equal captions tie exactly
    mean = unit(np.mean(images, axis=0))
    blind = [
        abs(np.diff(unit(np.asarray(model.encode_text(model.tokenizer(list(pair))), np.float64)) @ mean)[0]) > 0.001
        for pair in PAIRS_OF_ONE_MEANING
    ]
    assert task["blind"]["mean_image"] == {"violation_rate": pytest.approx(np.mean(blind))}
    assert set(results.results["tasks"]["operator"]["metrics"]) == {"accuracy", "NOT_accuracy", "NEITHER_accuracy"}


def test_the_report_and_paired_comparison_know_the_kind(model, data_dir, tmp_path):
    sets = [open_set(data_dir, name) for name in ("equivalence", "operator", "compound")]
    data = prepare_eval_data(sets, model.preprocess)
    for name in ("first", "second"):
        write_results(evaluate(model, data, progress=False, bootstrap=20), tmp_path / name)
    with (tmp_path / "first" / "predictions" / "equivalence.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    items = item_credits(rows, "equivalence", "violation_rate")
    assert items.labels == ["pair 0", "pair 1", "pair 2"]
    assert items.credit_I[2] == 0
    with pytest.raises(NegjaxError, match="choose violation_rate"):
        item_credits(rows, "equivalence", "accuracy")
    write_report([tmp_path / "first", tmp_path / "second"], tmp_path / "report.html", title="FACTOR", data_dir=data_dir)
    page = (tmp_path / "report.html").read_text()
    assert "scores with their image differ by more than 0.001" in page
    assert "equivalence" in (tmp_path / "report.md").read_text()
    assert "lower is better" in (tmp_path / "report.md").read_text()
