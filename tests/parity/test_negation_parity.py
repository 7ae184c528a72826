"""Negation methods on real photographs against a plain script of PyTorch and open_clip with the same splits.

All 255 photographs and every question: NEGJAX_PARITY_IMAGES=all. By default the questions of a few.
"""

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.parity, pytest.mark.timeout(3600)]
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")

from PIL import Image  # noqa: E402
from support.torch_models import randomise  # noqa: E402

from negjax.datasets.build.evaluation_set import build_from_csv  # noqa: E402
from negjax.datasets.stored.store import open_set  # noqa: E402
from negjax.evaluation.methods import choose_methods, evaluate_methods  # noqa: E402
from negjax.language.splitter import split  # noqa: E402
from negjax.negation.scorer import Directions, SteeredText  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402

ARCH = "ViT-B-32-quickgelu"
FILE = "COCO_val_mcq_llama3.1_rephrased.csv"
CHOSEN = ("none", "subtract", "space", "space,threshold=0.98", "projection", "projection,strength=0.5,cue=true")


@pytest.fixture(scope="module")
def table(test_data, tmp_path_factory):
    """The rows of the questions about photographs that are here, and a CSV file of them."""
    with (test_data / "negbench/images" / FILE).open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        rows = [row for row in reader if (test_data / "coco_val2017" / Path(row["image_path"]).name).exists()]
    most = os.environ.get("NEGJAX_PARITY_IMAGES", "6")
    paths = list(dict.fromkeys(row["image_path"] for row in rows))
    kept = set(paths if most == "all" else paths[: int(most)])
    rows = [row for row in rows if row["image_path"] in kept]
    path = tmp_path_factory.mktemp("table") / "questions.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path, rows


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    model, _, transform = open_clip.create_model_and_transforms(ARCH)
    randomise(model)
    torch.save(model.state_dict(), path)
    return path, model.eval(), transform


@pytest.fixture(scope="module")
def ours(test_data, table, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    build_from_csv("questions", table[0], test_data / "coco_val2017", "mcq", folder, progress=False)
    model = read_model(weights[0], arch=ARCH)
    results = evaluate_methods(
        model, [open_set(folder, "mcq")], choose_methods(CHOSEN, model), bootstrap=0, progress=False
    )
    return {label: evaluated.predictions["mcq"] for label, evaluated in results.items()}


@pytest.fixture(scope="module")
def theirs(test_data, table, weights):
    """embed(text) and embed_image(name), of unit length in float64, each computed once."""
    _, model, transform = weights
    tokenize, known = open_clip.get_tokenizer(ARCH), {}

    def embed(text: str) -> torch.Tensor:
        if text not in known:
            with torch.no_grad():
                known[text] = model.encode_text(tokenize([text]), normalize=True)[0].double()
        return known[text]

    def embed_image(name: str) -> torch.Tensor:
        if ("image", name) not in known:
            pixels = transform(Image.open(test_data / "coco_val2017" / name))[None]
            with torch.no_grad():
                known["image", name] = model.encode_image(pixels, normalize=True)[0].double()
        return known["image", name]

    return embed, embed_image


def article(name: str) -> str:
    from negjax.language.phrases import with_article  # the splits and their wording are the same

    return f"A photo of {with_article(name)}"


def query(label: str, caption: str, embed) -> torch.Tensor:
    """The query vector of a caption, as the papers write it."""
    parsed = split(caption)
    names = list(dict.fromkeys(parsed.negated))
    if not names or label == "none":
        return embed(caption)
    affirmed = embed(parsed.affirmed or "A photo of something")
    if label == "subtract":
        return torch.nn.functional.normalize(affirmed - 0.5 * sum(embed(article(name)) for name in names), dim=0)
    if label.startswith("space"):
        alpha = math.acos(0.98 if "0.98" in label else 0.92)
        moved = affirmed.clone()
        for name in names:
            denied = embed(article(name))
            theta = torch.arccos(affirmed @ denied)
            if theta < 2 * alpha:
                across = (affirmed - torch.cos(theta) * denied) / torch.sin(theta)
                moved += torch.cos(alpha + theta / 2) * denied + torch.sin(alpha + theta / 2) * across - affirmed
        return torch.nn.functional.normalize(moved, dim=0)
    strength, cue = (0.5, "no ") if "strength" in label else (1.9, "")
    basis = torch.stack([embed(f"{cue}{name}") for name in names])
    whole = embed(caption)
    projected = basis.T @ torch.linalg.pinv(basis.T) @ whole
    anchor = (embed("neutral") + embed("balanced")) / 2
    return torch.nn.functional.normalize(whole - strength * (projected - anchor), dim=0)


@pytest.mark.parametrize("label", CHOSEN)
def test_every_option_has_the_scripts_score(table, ours, theirs, label):
    embed, embed_image = theirs
    _, rows = table
    found = np.stack([ours[label][f"score_{option}"] for option in range(4)], axis=1)
    images = [embed_image(Path(row["image_path"]).name) for row in rows]
    captions = [[row[f"caption_{option}"] for option in range(4)] for row in rows]
    expected = np.array(
        [
            [float(query(label, caption, embed) @ image) for caption in options]
            for options, image in zip(captions, images)
        ]
    )
    plain = np.stack([ours["none"][f"score_{option}"] for option in range(4)], axis=1)
    moved, largest = np.abs(expected - plain).max(), np.abs(found - expected).max()
    print(f"{label}: {len(rows)} questions, largest difference {largest:.1e}, moved by {moved:.2g}")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert label == "none" or moved > 1e-3


def test_a_steered_tower_is_theirs_with_a_hook_on_each_block(weights):
    path, theirs, _ = weights
    model = read_model(path, arch=ARCH)
    text = model.config.text
    rng = np.random.default_rng(0)
    direction_LD = rng.normal(size=(text.depth, text.width))
    direction_LD /= np.linalg.norm(direction_LD, axis=1, keepdims=True)
    texts = ["a beach without people", "no dog", "a man who is not wearing a hat rides a horse"]
    tokens = open_clip.get_tokenizer(ARCH)(texts)
    end, rows = tokens.argmax(dim=1), torch.arange(len(texts))
    states = []

    def steer(index: int):
        direction = torch.tensor(direction_LD[index], dtype=torch.float32)

        def hook(block, inputs, x):
            state = x[rows, end]
            states.append(state.numpy())
            x = x.clone()
            x[rows, end] = 0.87 * state + 0.13 * state.norm(dim=-1, keepdim=True) * direction
            return x

        return hook

    handles = [block.register_forward_hook(steer(index)) for index, block in enumerate(theirs.transformer.resblocks)]
    try:
        with torch.no_grad():
            expected = theirs.encode_text(tokens, normalize=True).numpy()
            first = states[0]
    finally:
        for handle in handles:
            handle.remove()
    with torch.no_grad():
        plain = theirs.encode_text(tokens, normalize=True).numpy()
    steered = SteeredText("", 0.13, Directions(tuple(map(tuple, direction_LD))))
    found = np.asarray(model.encode_steered(model.tokenizer(texts), steered))
    np.testing.assert_allclose(found / np.linalg.norm(found, axis=1, keepdims=True), expected, atol=1e-5)
    assert np.abs(expected - plain).max() > 1e-3
    np.testing.assert_allclose(np.asarray(model.block_states(model.tokenizer(texts)))[0], first, atol=1e-4)
