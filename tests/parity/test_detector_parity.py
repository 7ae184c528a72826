"""OWL-ViT and OWLv2: boxes and scores as transformers' on the same weights, from the JPEG on."""

import json
import os

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from support.images import noise_image, noise_jpeg  # noqa: E402
from support.owl_models import save_owl  # noqa: E402

from negjax.media.decoding import decode  # noqa: E402
from negjax.media.padded import pad_and_resize  # noqa: E402
from negjax.models.clip import flatten_params  # noqa: E402
from negjax.models.detector import abstract_detector_params  # noqa: E402
from negjax.weights.detector import read_detector  # noqa: E402
from negjax.weights.entries import parameter_entries  # noqa: E402
from negjax.weights.families.owl import DETECTOR_SUPPORT  # noqa: E402

TEXTS = ["a photo of a dog", "a photo of an umbrella", "a photo of a very long fire truck with a ladder", "Skis"]
SIZES = [(90, 60), (40, 130), (300, 200), (64, 64), (33, 31)]  # larger and smaller than the model's images
FAMILIES = ("owlvit", "owlv2")


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, tmp_path_factory):
    """transformers' model and processor, and ours, of one folder."""
    folder = tmp_path_factory.mktemp(request.param)
    model, processor = save_owl(folder, request.param)
    return model, processor, read_detector(folder)


@pytest.fixture
def jpegs(tmp_path):
    for i, size in enumerate(SIZES):
        (tmp_path / f"{i}.jpg").write_bytes(noise_jpeg(i, size))
    return sorted(tmp_path.glob("*.jpg"))


def by_transformers(model, processor, paths, texts=TEXTS):
    """Logits, boxes in [0, 1] of the square, objectness, and the boxes of each image in its pixels."""
    images = [Image.open(path).convert("RGB") for path in paths]
    inputs = processor(text=[texts] * len(images), images=images, return_tensors="pt")
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    with torch.no_grad():
        out = model(**inputs)
    found = processor.post_process_grounded_object_detection(
        out, threshold=-1.0, target_sizes=[(image.height, image.width) for image in images]
    )
    objectness = getattr(out, "objectness_logits", None)
    return out.logits.numpy(), out.pred_boxes.numpy(), objectness, [each["boxes"].numpy() for each in found]


def by_negjax(detector, paths, texts=TEXTS):
    pixels = np.stack([detector.to_pixels(decode(path.read_bytes(), str(path))) for path in paths])
    query_QE = detector.encode_queries(texts)
    return pixels, np.broadcast_to(query_QE, (len(paths), *query_QE.shape))


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def test_boxes_and_scores_from_the_jpeg_on(both, jpegs):
    model, processor, detector = both
    for paths in (jpegs[:3], jpegs[3:]):  # batch by batch
        logits, boxes, objectness, image_boxes = by_transformers(model, processor, paths)
        found = detector.detect(*by_negjax(detector, paths))
        assert np.abs(sigmoid(found.logit_BPQ) - sigmoid(logits)).max() < 1e-4
        assert np.abs(np.asarray(found.box_BP4) - boxes).max() < 1e-4
        assert sigmoid(logits).std() > 0.01
        assert boxes.std() > 0.05
        assert (found.objectness_BP is None) == (objectness is None)
        if objectness is not None:
            assert np.abs(sigmoid(found.objectness_BP) - sigmoid(objectness)).max() < 1e-4
        for path, box_P4, expected_P4 in zip(paths, np.asarray(found.box_BP4), image_boxes):
            width, height = Image.open(path).size
            sides = np.array([width, height, width, height])
            ours_P4 = detector.to_image_boxes(box_P4, width, height)
            assert np.abs(ours_P4 - np.clip(expected_P4 / sides, 0, 1)).max() < 2e-4


def test_the_best_patch_of_each_query(both, jpegs):
    model, processor, detector = both
    logits, boxes, *_ = by_transformers(model, processor, jpegs)
    score_BQ, box_BQ4 = detector.find_best(*by_negjax(detector, jpegs))
    assert np.abs(np.asarray(score_BQ) - sigmoid(logits).max(axis=1)).max() < 1e-4
    chosen = np.take_along_axis(boxes, logits.argmax(axis=1)[..., None], axis=1)
    clear = np.sort(logits, axis=1)[:, -1] - np.sort(logits, axis=1)[:, -2] > 1e-3
    assert clear.mean() > 0.5
    assert np.abs(np.asarray(box_BQ4) - chosen)[clear].max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_of_tensors_is_invertible(family, tmp_path):
    save_owl(tmp_path, family)
    detector = read_detector(tmp_path)
    params, format = flatten_params(detector.params), DETECTOR_SUPPORT[family].format
    written = {}
    for entry in parameter_entries(format, abstract_detector_params(detector.config)):
        written |= dict(zip(entry.names, entry.layout.write(np.asarray(params[entry.path]))))
    stored = load_file(tmp_path / "model.safetensors")
    assert written.keys() == stored.keys()
    assert all(np.array_equal(written[name], stored[name]) for name in stored)
    assert not {row.path for row in format.rows} - {_of_any_block(path) for path in params}


def _of_any_block(path):
    return "/".join("{i}" if part.isdecimal() else part for part in path.split("/"))


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (200, 300), (1, 97), (50, 50), (31, 33), (1, 1)])
def test_padding_and_resizing_as_owlv2s_processor(size):
    image = noise_image(1, size)
    for side in (50, 96):
        processor = transformers.Owlv2ImageProcessor(size={"height": side, "width": side}, do_normalize=False)
        expected = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0) * 255
        assert np.abs(pad_and_resize(image, side) - expected).max() < 0.02


def test_files_of_the_hub(tmp_path):
    """Their preprocessor_config.json is of earlier versions of transformers, and so are some of its names."""
    save_owl(tmp_path, "owlvit", 64)
    (tmp_path / "processor_config.json").unlink()
    now = read_detector(tmp_path / ".") if (tmp_path / "preprocessor_config.json").exists() else None
    assert now is None
    settings = {
        "crop_size": 64,
        "do_center_crop": False,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "OwlViTFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale": True,
        "size": 64,
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    old = read_detector(tmp_path)
    expected = transformers.OwlViTImageProcessorPil(**settings)
    image = noise_image(2, (80, 50))
    pixels = (old.to_pixels(image) / 255 - old.preprocess.mean) / old.preprocess.std
    assert np.abs(pixels - expected(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)).max() < 1e-5


FULL = pytest.mark.skipif(not os.environ.get("NEGJAX_FULL_PARITY"), reason="minutes long: set NEGJAX_FULL_PARITY=1")


@FULL
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("family", "image_size", "patch_size"), [("owlvit", 768, 32), ("owlv2", 960, 16)])
def test_whole_models_on_photographs(family, image_size, patch_size, tmp_path, test_data):
    model, processor = save_owl(tmp_path, family, image_size, patch_size, whole=True)
    detector = read_detector(tmp_path)
    assert detector.config.name == f"{family}-base-patch{patch_size}"
    photos = sorted((test_data / "coco_val2017").glob("*.jpg"))[:4]
    in_float32 = [by_transformers(model, processor, [path])[:2] for path in photos]
    model.double()
    errors, their_errors = [], []  # of scores and boxes, from the same model in float64
    for path, (their_logits, their_boxes) in zip(photos, in_float32):
        logits, boxes, *_ = by_transformers(model, processor, [path])
        found = detector.detect(*by_negjax(detector, [path]))
        exact = sigmoid(logits), boxes
        ours = sigmoid(found.logit_BPQ), np.asarray(found.box_BP4)
        errors.append([np.abs(x - y).max() for x, y in zip(ours, exact)])
        their_errors.append([np.abs(x - y).max() for x, y in zip((sigmoid(their_logits), their_boxes), exact)])
    score_error, box_error = np.max(errors, axis=0)
    assert score_error < 1e-4
    assert box_error < max(1e-4, np.max(their_errors, axis=0)[1])  # OWLv2's boxes on random weights: 2e-3 and 3e-3
