"""NegBench's own COCO files and real photographs, from the CSV to the figures.

They are read from the folder $NEGJAX_TEST_DATA (by default ../shared/data), which holds negbench/images/*.csv and
coco_val2017/*.jpg; without it these tests are skipped.
"""

import ast
import csv
from pathlib import Path

import numpy as np
import pytest
from support.models import tiny_model
from support.trees import unit

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import TaskResults, evaluate
from negjax.media.decoding import decode
from negjax.media.images import to_pixels
from negjax.models.loaded import LoadedModel

FILES = {
    "coco_mcq": ("questions", "COCO_val_mcq_llama3.1_rephrased.csv"),
    "coco_retrieval": ("captions", "COCO_val_retrieval.csv"),
    "coco_negated": ("captions", "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"),
}


@pytest.fixture(scope="module")
def photos(test_data: Path) -> Path:
    return test_data / "coco_val2017"


@pytest.fixture(scope="module")
def rows(test_data: Path, photos: Path) -> dict[str, list[tuple[int, dict[str, str]]]]:
    """Of each file the rows whose photograph is here, with their number, read with the csv module alone."""
    found = {}
    for name, (_, file) in FILES.items():
        with (test_data / "negbench/images" / file).open(newline="", encoding="utf-8") as lines:
            table = list(csv.DictReader(lines))
        column = "image_path" if "image_path" in table[0] else "filepath"
        found[name] = [(i, row) for i, row in enumerate(table) if (photos / Path(row[column]).name).exists()]
    return found


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return tiny_model()


@pytest.fixture(scope="module")
def result(
    test_data: Path, photos: Path, model: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TaskResults, Path]:
    data_dir = tmp_path_factory.mktemp("data")
    for name, (kind, file) in FILES.items():
        csv_file = test_data / "negbench/images" / file
        build_from_csv(kind, csv_file, photos, name, data_dir, skip_missing=True, progress=False)
    sets = [open_set(data_dir, name) for name in FILES]
    return evaluate(model, sets, bootstrap=50, progress=False), data_dir


def embed(model: LoadedModel, photos: Path, files: list[str], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings, one image and one caption at a time."""

    pixels = [to_pixels(decode((photos / file).read_bytes(), file), model.preprocess) for file in files]
    images = [unit(model.encode_image(image[None])[0]) for image in pixels]
    return np.stack(images), np.stack([unit(model.encode_text(model.tokenizer([text], 77))[0]) for text in texts])


def test_without_skip_missing_the_build_stops(test_data: Path, photos: Path, tmp_path: Path):
    kind, file = FILES["coco_mcq"]
    with pytest.raises(NegjaxError, match=r"5,587 of 5,914 rows .* first is row \d+"):
        build_from_csv(kind, test_data / "negbench/images" / file, photos, "mcq", tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_every_row_with_a_photograph_is_there(result, rows, name):
    data = open_set(result[1], name)
    assert [data[i]["id"] for i in range(len(data))] == [number for number, _ in rows[name]]
    for i, (_, row) in enumerate(rows[name]):
        if name == "coco_mcq":
            assert data[i]["options"] == [row[f"caption_{k}"] for k in range(4)]
            assert data[i]["answer"] == int(row["correct_answer"])
        else:
            assert data[i]["captions"] == ast.literal_eval(row["captions"])
    assert data.metadata["negated"] == (name != "coco_retrieval")


def test_mcq_scores_are_the_cosines_of_single_embeddings(result, rows, model, photos):
    columns = result[0].predictions["coco_mcq"]
    asked = rows["coco_mcq"][:12]
    images, captions = embed(
        model,
        photos,
        [Path(row["image_path"]).name for _, row in asked],
        [row[f"caption_{k}"] for _, row in asked for k in range(4)],
    )
    cosines = np.einsum("ne,noe->no", images, captions.reshape(len(asked), 4, -1))
    found = np.stack([columns[f"score_{k}"][: len(asked)] for k in range(4)], 1)
    np.testing.assert_allclose(found, cosines, atol=2e-6)


def test_figures_follow_from_the_predictions(result, rows):
    """Recomputed from the published rows: accuracy per template, and recall with all captions of the gallery."""
    tasks, files = result[0].results["tasks"], result[0].predictions
    scores = np.stack([files["coco_mcq"][f"score_{k}"] for k in range(4)], 1)
    best = scores == scores.max(1, keepdims=True)
    credit = best[:, 0] / best.sum(1)  # the right answer is the first option of every row
    kinds = np.array([row["correct_answer_template"] for _, row in rows["coco_mcq"]])
    metrics = tasks["coco_mcq"]["metrics"]
    assert metrics["accuracy"] == pytest.approx(credit.mean())
    for kind in ("positive", "negative", "hybrid"):
        assert metrics[f"{kind}_accuracy"] == pytest.approx(credit[kinds == kind].mean())
    for name in ("coco_retrieval", "coco_negated"):
        ranks = files[name]
        assert len(ranks["rank"]) == sum(len(ast.literal_eval(row["captions"])) for _, row in rows[name])
        for k in (1, 5, 10):
            strictly, equal = ranks["rank"] - 1, ranks["ties"] + 1
            recall = np.clip(k - strictly, 0, equal) / equal
            assert tasks[name]["metrics"][f"image_retrieval_recall@{k}"] == pytest.approx(recall.mean())
