"""NegBench's three COCO tasks on real photographs against open_clip in PyTorch, padded to 77 tokens, and NumPy."""

import ast
import csv
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.parity, pytest.mark.timeout(1500)]
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")

from PIL import Image  # noqa: E402
from support.torch_models import randomise  # noqa: E402

from negjax.datasets.build.evaluation_set import build_from_csv  # noqa: E402
from negjax.datasets.stored.store import open_set  # noqa: E402
from negjax.evaluation.embed.embed import embed  # noqa: E402
from negjax.evaluation.evaluate import evaluate  # noqa: E402
from negjax.evaluation.prepare import prepare_eval_data  # noqa: E402
from negjax.tokenizers.clip import Tokenizer  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402

ARCH = "ViT-S-32-alt"  # small: thousands of captions are encoded
CLOSE = 1e-6  # scores closer than this may swap
FILES = {
    "mcq": ("questions", "COCO_val_mcq_llama3.1_rephrased.csv"),
    "retrieval": ("captions", "COCO_val_retrieval.csv"),
    "negated": ("captions", "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"),
}


@pytest.fixture(scope="module")
def tables(test_data):
    """Of each file the rows whose photograph is here, read with the csv module alone."""
    found = {}
    for name, (_, file) in FILES.items():
        with (test_data / "negbench/images" / file).open(newline="", encoding="utf-8") as lines:
            rows = [
                row | {"number": number, "file": Path(row.get("image_path") or row["filepath"]).name}
                for number, row in enumerate(csv.DictReader(lines))
            ]
        found[name] = [row for row in rows if (test_data / "coco_val2017" / row["file"]).exists()]
    return found


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    model, _, transform = open_clip.create_model_and_transforms(ARCH)
    randomise(model)
    torch.save(model.state_dict(), path)
    return path, model.eval(), transform


@pytest.fixture(scope="module")
def theirs(test_data, tables, weights):
    """Unit embeddings of every photograph and caption, by name and by text."""
    _, model, transform = weights
    tokenize = open_clip.get_tokenizer(ARCH)
    files = sorted({row["file"] for rows in tables.values() for row in rows})
    texts = sorted({text for rows in tables.values() for row in rows for text in texts_of(row)})
    images, captions = {}, {}
    with torch.no_grad():
        for start in range(0, len(files), 32):
            part = files[start : start + 32]
            pixels = torch.stack([transform(Image.open(test_data / "coco_val2017" / file)) for file in part])
            images |= dict(zip(part, model.encode_image(pixels, normalize=True).double().numpy()))
        for start in range(0, len(texts), 64):
            part = texts[start : start + 64]
            tokens = tokenize(part)
            assert tokens.shape[1] == 77
            captions |= dict(zip(part, model.encode_text(tokens, normalize=True).double().numpy()))
    return images, captions


def texts_of(row):
    return [row[f"caption_{i}"] for i in range(4)] if "caption_0" in row else ast.literal_eval(row["captions"])


@pytest.fixture(scope="module")
def ours(test_data, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, (kind, file) in FILES.items():
        path = test_data / "negbench/images" / file
        build_from_csv(kind, path, test_data / "coco_val2017", name, folder, skip_missing=True, progress=False)
    model = read_model(weights[0], arch=ARCH)
    sets = [open_set(folder, name) for name in FILES]
    plan = prepare_eval_data(sets, model.preprocess)
    result = evaluate(model, plan, cache_dir=folder / "cache", progress=False)
    return result, plan, embed(model, plan, plan.captions, 256, cache_dir=folder / "cache", progress=False)


def test_every_embedding_is_theirs(theirs, tables, ours):
    images, captions = theirs
    _, plan, (media_DE, caption_CE) = ours
    rows = {(name, row["number"]): row for name, table in tables.items() for row in table}
    image_DE = [images[rows[source.data.name, source.id]["file"]] for source in plan.images.origins]
    ids = open_clip.get_tokenizer(ARCH)(list(captions)).numpy().astype(np.int32)
    of_tokens = {row.tobytes(): vector for row, vector in zip(ids, captions.values())}
    text_CE = [of_tokens[row.tobytes()] for row in Tokenizer()(plan.captions)]
    differences = np.abs(media_DE - image_DE).max(), np.abs(caption_CE - text_CE).max()
    print(f"{len(image_DE)} images, {len(text_CE)} captions, largest differences: {differences}")
    assert max(differences) < 1e-4


def test_every_question_has_their_scores_and_pick(theirs, tables, ours):
    images, captions = theirs
    result, kinds, right = ours[0], [], []
    columns = result.predictions["mcq"]
    assert len(columns["id"]) == len(tables["mcq"]) > 300
    largest = 0.0
    for n, row in enumerate(tables["mcq"]):
        scores = np.array([images[row["file"]] @ captions[text] for text in texts_of(row)])
        found = np.array([columns[f"score_{i}"][n] for i in range(4)])
        largest = max(largest, np.abs(found - scores).max())
        if np.sort(scores)[-1] - np.sort(scores)[-2] > CLOSE:
            assert columns["predicted"][n] == scores.argmax()
        kinds.append(row["correct_answer_template"])
        right.append(scores.argmax() == int(row["correct_answer"]))
    print(f"largest difference of a cosine: {largest:.1e}")
    assert largest < 1e-4
    metrics, kinds, right = result.results["tasks"]["mcq"]["metrics"], np.array(kinds), np.array(right)
    assert metrics["accuracy"] == pytest.approx(right.mean(), abs=1e-9)
    for kind in ("positive", "negative", "hybrid"):
        assert metrics[f"{kind}_accuracy"] == pytest.approx(right[kinds == kind].mean(), abs=1e-9)


@pytest.mark.parametrize("name", ["retrieval", "negated"])
def test_every_rank_is_theirs(theirs, tables, ours, name):
    images, captions = theirs
    rows = tables[name]
    image_NE = np.stack([images[row["file"]] for row in rows])
    owner = np.repeat(np.arange(len(rows)), [len(texts_of(row)) for row in rows])
    score_CN = np.stack([captions[text] for row in rows for text in texts_of(row)]) @ image_NE.T
    metrics, files = ours[0].results["tasks"][name]["metrics"], ours[0].predictions
    to_image, to_text = files[name], files[f"{name}.image_to_text"]

    right_C = score_CN[np.arange(len(owner)), owner]
    best_N = np.array([score_CN[owner == n, n].max() for n in range(len(rows))])
    own_CN = owner[:, None] == np.arange(len(rows))
    for side, found, scores, right, own in (
        ("image", to_image, score_CN, right_C, own_CN),
        ("text", to_text, score_CN.T, best_N, own_CN.T),
    ):
        rivals = np.where(own, -np.inf, scores)
        least = (rivals > right[:, None] + CLOSE).sum(axis=1)
        most = (rivals > right[:, None] - CLOSE).sum(axis=1)
        assert (least <= found["rank"] - 1).all()
        assert (found["rank"] - 1 + found["ties"] <= most).all()
        print(f"{name}, {side}: {(least == most).mean():.4f} of {len(right)} ranks are beyond doubt")
        better, equal = (rivals > right[:, None]).sum(axis=1), (rivals == right[:, None]).sum(axis=1) + 1
        for k in (1, 5, 10):
            recall = (np.clip(k - better, 0, equal) / equal).mean()
            assert metrics[f"{side}_retrieval_recall@{k}"] == pytest.approx(recall, abs=2 / len(right))
