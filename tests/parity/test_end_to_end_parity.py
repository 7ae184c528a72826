"""Whole architectures from the JPEG to the cosine, and a model fine-tuned here that answers alike in open_clip."""

import csv
import os

import numpy as np
import pytest

pytestmark = [pytest.mark.parity, pytest.mark.timeout(900)]
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support.torch_models import randomise, write_tokenizer  # noqa: E402
from support.trees import unit  # noqa: E402

import negjax  # noqa: E402
from negjax.cli import main  # noqa: E402
from negjax.config import Experiment, ModelSpec, Optim, Source  # noqa: E402
from negjax.datasets.build.evaluation_set import build_from_csv  # noqa: E402
from negjax.experiment import run_experiment  # noqa: E402
from negjax.media.images import to_pixels  # noqa: E402
from negjax.models.presets import default_preprocess, preset  # noqa: E402
from negjax.weights.write import write_open_clip  # noqa: E402

FULL = pytest.mark.skipif(not os.environ.get("NEGJAX_FULL_PARITY"), reason="minutes long: set NEGJAX_FULL_PARITY=1")
CAPTIONS = ["a kitchen with no people", "two dogs on a beach, but no ball", "a photo of a cat", "no cat"]


@pytest.fixture(scope="module")
def photos(test_data):
    """Photographs of many shapes."""
    return sorted((test_data / "coco_val2017").glob("*.jpg"))[:6]


@pytest.mark.parametrize(
    "name",
    [
        "ViT-B-32",
        "ViT-B-32-quickgelu",
        "ViT-B-16",
        pytest.param("ViT-L-14", marks=FULL),
        pytest.param("ViT-H-14", marks=FULL),
        pytest.param("ViT-B-16-SigLIP", marks=FULL),
        pytest.param("ViT-B-16-SigLIP2", marks=FULL),
        pytest.param("ViT-L-14-CLIPA", marks=FULL),
    ],
)
def test_from_the_jpeg_to_the_cosine(name, photos, tmp_path):
    """Full depth, random weights, open_clip's own preprocessing and tokenizer on its side: cosines within 1e-4."""
    theirs, _, transform = open_clip.create_model_and_transforms(name, **transform_of(name))
    randomise(theirs)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    own = preset(name).text.vocab_size == 49408
    if not own:
        write_tokenizer(tmp_path)
    model, preprocess, tokenize = negjax.load(tmp_path / "weights.safetensors", arch=name)
    tokens = np.asarray(tokenize(CAPTIONS))
    if own:
        np.testing.assert_array_equal(tokens, open_clip.get_tokenizer(name)(CAPTIONS).numpy())
    pixels = np.stack([preprocess(photo) for photo in photos])
    with torch.no_grad():
        images = torch.stack([transform(Image.open(photo)) for photo in photos])
        image = theirs.encode_image(images, normalize=True).numpy()
        text = theirs.encode_text(torch.from_numpy(tokens).long(), normalize=True).numpy()
    ours = unit(model.encode_image(pixels)) @ unit(model.encode_text(tokens)).T
    np.testing.assert_allclose(ours, image @ text.T, atol=1e-4)
    np.testing.assert_allclose(unit(model.encode_image(pixels)), image, atol=1e-4)
    print(f"{name}: largest difference of a cosine {np.abs(ours - image @ text.T).max():.1e}")

    write_open_clip(model, tmp_path / "back")  # unchanged to the byte, and open_clip loads it strictly
    back = load_file(tmp_path / "back/open_clip_model.safetensors")
    assert back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[key], tensor) for key, tensor in theirs.state_dict().items())
    again = open_clip.create_model(f"local-dir:{tmp_path / 'back'}").eval()
    with torch.no_grad():
        torch.testing.assert_close(again.encode_image(images[:1], normalize=True).numpy(), image[:1], rtol=0, atol=1e-5)


def transform_of(name):
    """What open_clip's list of weights says of the preprocessing of these models."""
    if "SigLIP" in name:
        return {"image_mean": (0.5,) * 3, "image_std": (0.5,) * 3, "image_resize_mode": "squash"}
    if "CLIPA" in name:
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return {
            "image_mean": mean,
            "image_std": std,
            "image_interpolation": "bilinear",
            "image_resize_mode": "squash",
        }
    return {}


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16-SigLIP-256", "ViT-L-14-CLIPA-336"])
def test_preprocessing_is_open_clips_to_the_bit(name, photos):
    config = preset(name)
    ours = default_preprocess(config)
    theirs = open_clip.transform.image_transform(
        ours.size, False, (0, 0, 0), (1, 1, 1), interpolation=ours.interpolation, resize_mode=ours.resize_mode
    )
    for photo in photos:
        picture = Image.open(photo)
        pixels = (theirs(picture).numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0)
        np.testing.assert_array_equal(to_pixels(picture.convert("RGB"), ours), pixels)


def test_a_model_fine_tuned_here_answers_alike_in_open_clip(scenes, test_data, tmp_path):
    """Three steps on scenes, exported; questions of NegBench whose photographs are here, option by option."""
    source = Source("scenes_negmcq", 8, mcq=1.0)
    experiment = Experiment(
        ModelSpec(arch="ViT-S-32-alt"), {"negmcq": source}, str(scenes), 3, Optim(warmup_steps=1), seed=5
    )
    run_experiment(experiment, tmp_path / "run")
    csv_file = test_data / "negbench/images/COCO_val_mcq_llama3.1_rephrased.csv"
    data = tmp_path / "data"
    build_from_csv("questions", csv_file, test_data / "coco_val2017", "coco_mcq", data, skip_missing=True)
    flags = ["--tasks", "coco_mcq", "--data-dir", data, "--out", tmp_path / "out", "--model", tmp_path / "run"]
    assert main(["eval", *map(str, flags)]) == 0
    exported = tmp_path / "export/weights.safetensors"
    assert main(["convert", str(tmp_path / "run"), str(exported), "--to", "open_clip"]) == 0

    theirs, _, transform = open_clip.create_model_and_transforms("ViT-S-32-alt", pretrained=str(exported))
    theirs.eval()
    as_pt = tmp_path / "export-pt/weights.pt"
    assert main(["convert", str(tmp_path / "run"), str(as_pt), "--to", "open_clip"]) == 0
    same = open_clip.create_model("ViT-S-32-alt", pretrained=str(as_pt)).state_dict()
    assert all(torch.equal(same[name], tensor) for name, tensor in theirs.state_dict().items())
    tokenize = open_clip.get_tokenizer("ViT-S-32-alt")
    with csv_file.open(newline="") as file:
        asked = list(csv.DictReader(file))
    with (tmp_path / "out/predictions/coco_mcq.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) > 200
    answers = answers[:120]
    rows = [asked[int(answer["id"])] for answer in answers]
    photos = dict.fromkeys(test_data / "coco_val2017" / row["image_path"].split("/")[-1] for row in rows)
    captions = [row[f"caption_{i}"] for row in rows for i in range(4)]
    with torch.no_grad():
        image_PE = torch.cat([theirs.encode_image(transform(Image.open(photo))[None]) for photo in photos])
        text_NE = torch.cat([theirs.encode_text(tokenize(captions[i : i + 64])) for i in range(0, len(captions), 64)])
    image_of = dict(zip(photos, torch.nn.functional.normalize(image_PE, dim=-1)))
    text_Q4E = torch.nn.functional.normalize(text_NE, dim=-1).unflatten(0, (-1, 4))
    differences = []
    for answer, row, text_4E in zip(answers, rows, text_Q4E, strict=True):
        scores = (text_4E @ image_of[test_data / "coco_val2017" / row["image_path"].split("/")[-1]]).numpy()
        own = np.array([float(answer[f"score_{i}"]) for i in range(4)])
        differences.append(np.abs(scores - own).max())
        best = np.sort(scores)
        if best[-1] - best[-2] > 1e-5:
            assert scores.argmax() == int(answer["predicted"])
    assert max(differences) < 1e-5
