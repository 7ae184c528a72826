"""Claims checked by a detector and by CLIP: what they see decides, image by image, on any number of devices."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from support.command import run_command
from support.detectors import tiny_detector, write_folder
from support.images import noise_png
from support.models import tiny_model

from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.synth.extract import run_extract
from negjax.datasets.synth.propose import ProposeSettings, run_propose
from negjax.datasets.synth.shards import read_stage, shard_path
from negjax.errors import NegjaxError
from negjax.evaluation.verifiers.by_clip import CLIPVerifier
from negjax.evaluation.verifiers.by_detector import DetectorVerifier
from negjax.evaluation.verifiers.photos import Photos
from negjax.media.decoding import decode
from negjax.media.images import to_pixels
from negjax.models.loaded_detector import LoadedDetector
from negjax.weights.detector import read_detector

PRESENT, ABSENT = ["dog", "umbrella"], ["horse", "skis", "fire truck"]
IMAGES = 11  # no multiple of a batch or of the devices


@pytest.fixture
def photos(tmp_path) -> Photos:
    for i in range(IMAGES):
        (tmp_path / f"{i}.png").write_bytes(noise_png(i, (30 + 7 * i, 60 - 3 * i)))
    return Photos(MediaRoot(tmp_path))


def rows(present=PRESENT, absent=ABSENT) -> list[dict]:
    return [
        {"id": i, "filepath": f"{i}.png", "positive_objects": present, "negative_objects": absent[: i % 4]}
        for i in range(IMAGES)
    ]


def scores_one_by_one(detector: LoadedDetector, folder: Path, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The best score of each text in each image, and its box, without batches, padding or jit of several images."""
    query_1QE = detector.encode_queries(texts)[None]
    scores, boxes = [], []
    for i in range(IMAGES):
        pixels = detector.to_pixels(decode((folder / f"{i}.png").read_bytes(), str(i)))
        found = detector.detect(pixels[None], query_1QE)
        logit_PQ = np.asarray(found.logit_BPQ)[0]
        scores.append(1 / (1 + np.exp(-logit_PQ.max(axis=0))))
        boxes.append(np.asarray(found.box_BP4)[0][logit_PQ.argmax(axis=0)])
    return np.array(scores), np.array(boxes)


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
def test_what_the_detector_sees_decides(family, photos):
    assert jax.local_device_count() > 1
    detector, folder = tiny_detector(family), photos.root.root
    texts = ["a photo of a dog", "a photo of an umbrella", "a photo of a horse", "a photo of skis"]
    texts.append("a photo of a fire truck")
    score_NQ, box_NQ4 = scores_one_by_one(detector, folder, texts)
    threshold = float(np.median(score_NQ))
    verifier = DetectorVerifier(detector, photos, threshold=threshold, batch_size=8)
    verdicts = verifier.check(rows())
    names = PRESENT + ABSENT
    for i, verdict in enumerate(verdicts):
        asked = PRESENT + ABSENT[: i % 4]
        seen = {name for name, score in zip(names, score_NQ[i]) if score > threshold and name in asked}
        assert verdict.refuted == {name for name in asked if (name in seen) != (name in PRESENT)}
        assert {box.name for box in verdict.boxes} == seen
        for box in verdict.boxes:
            q = names.index(box.name)
            assert box.score == pytest.approx(score_NQ[i, q], abs=1e-5)
            x, y, width, height = box_NQ4[i, q]
            wide, high = 30 + 7 * i, 60 - 3 * i
            scale = (max(wide, high) / wide, max(wide, high) / high) if family == "owlv2" else (1, 1)
            expected = [(x - width / 2) * scale[0], (y - height / 2) * scale[1]]
            assert [box.left, box.top] == pytest.approx(np.clip(expected, 0, 1), abs=1e-4)
            assert box.right == pytest.approx(min((x + width / 2) * scale[0], 1), abs=1e-4)
    assert any(verdict.refuted & set(PRESENT) for verdict in verdicts)
    assert any(verdict.refuted & set(ABSENT) for verdict in verdicts)


def test_missing_images(photos):
    (photos.root.root / "3.png").unlink()
    (photos.root.root / "5.png").write_bytes(b"no image")
    detector, constants = tiny_detector(), "midpoint=0.2,slope=10"
    with pytest.raises(NegjaxError, match=r"3.png is not below .*: correct --media-root, or .*--skip-missing"):
        DetectorVerifier(detector, photos).check(rows())
    with pytest.raises(NegjaxError, match=r"\.png.*: correct --media-root, or .*--skip-missing"):
        CLIPVerifier(tiny_model(), photos, constants, batch_size=8).check(rows())
    photos = dataclasses.replace(photos, skip_missing=True)
    for verifier in (DetectorVerifier(detector, photos), CLIPVerifier(tiny_model(), photos, constants, batch_size=8)):
        kept = verifier.check(rows())
        for i in (3, 5):
            assert kept[i].refuted == {*PRESENT, *ABSENT[: i % 4]}
            assert not kept[i].boxes


def test_rows_without_claims_need_no_image(photos):
    empty = [{"id": 0, "filepath": "none.png", "positive_objects": [], "negative_objects": []}]
    assert not DetectorVerifier(tiny_detector(), photos).check(empty)[0].refuted
    assert not CLIPVerifier(tiny_model(), photos, "midpoint=0.2,slope=10").check(empty)[0].refuted


def test_clips_calibrated_presence_decides(photos):
    model = tiny_model()
    templates = ("a {}", "a photo of a {}", "an image of a {}", "a {} in the image")
    text_TE = np.asarray(model.encode_text(model.tokenizer([each.format("dog") for each in templates])))
    mean_E = (text_TE / np.linalg.norm(text_TE, axis=1, keepdims=True)).mean(axis=0)
    pixels = [decode((photos.root.root / f"{i}.png").read_bytes(), "") for i in range(IMAGES)]
    image_NE = np.asarray(model.encode_image(np.stack([to_pixels(each, model.preprocess) for each in pixels])))
    cosine_N = image_NE @ mean_E / np.linalg.norm(image_NE, axis=1)
    middle = float(np.sort(cosine_N)[[4, 5]].mean())
    slope, threshold = 40.0, 0.7
    midpoint = middle - np.log(threshold / (1 - threshold)) / slope
    verifier = CLIPVerifier(model, photos, f"midpoint={midpoint},slope={slope}", threshold=threshold, batch_size=8)
    verdicts = verifier.check(rows(present=["dog"], absent=[]))
    assert [bool(verdict.refuted) for verdict in verdicts] == (cosine_N <= middle).tolist()
    assert sum(bool(verdict.refuted) for verdict in verdicts) == 5
    denied = verifier.check([row | {"positive_objects": [], "negative_objects": ["dog"]} for row in rows()])
    assert [bool(verdict.refuted) for verdict in denied] == (cosine_N > middle).tolist()


def stages(tmp_path: Path) -> Path:
    captions = ["A dog and a horse but no cat", "A dog on a boat", "A boat and a horse without a dog"]
    lines = ["filepath,caption", *(f"{i}.png,{captions[i % 3]}" for i in range(IMAGES * 3))]
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n")
    for i in range(IMAGES * 3):
        (tmp_path / f"{i}.png").write_bytes(noise_png(i, (20, 24)))
    run_extract(table_source("captions", tmp_path / "captions.csv", tmp_path), tmp_path / "out", progress=False)
    run_propose(tmp_path / "out", ProposeSettings(max_risk=0.9), progress=False)
    return tmp_path / "out"


def test_the_stage_keeps_what_is_not_refuted(tmp_path, capsys):
    out, detector = stages(tmp_path), write_folder(tmp_path / "owl", tiny_detector())
    words = ["synth", "verify", "--out", out, "--media-root", tmp_path, "--detector", detector]
    claimed = list(read_stage(out, "propose"))
    scores = [box.score for verdict in _verify_all(detector, tmp_path, claimed) for box in verdict.boxes]
    threshold = f"{np.median(scores):.4f}"
    code, printed, err = run_command(capsys, *words, "--threshold", threshold)
    assert code == 0, err
    kept = list(read_stage(out, "verify"))
    verdicts = _verify_all(detector, tmp_path, claimed, float(threshold))
    dropped = {"positive_objects": 0, "negative_objects": 0}
    for before, after, verdict in zip(claimed, kept, verdicts, strict=True):
        for column in dropped:
            assert after[column] == [name for name in before[column] if name not in verdict.refuted]
            dropped[column] += len(before[column]) - len(after[column])
        assert len(after["mentions"]) == len(after["positive_objects"])
        assert len(after["risks"]) == len(after["negative_objects"])
        assert {box["name"] for box in after["boxes"]} == {box.name for box in verdict.boxes}
        assert after["checked_by"] == f"custom above {float(threshold):g}"
    assert all(dropped.values())
    assert f"dropped {dropped['negative_objects']:,} of" in printed + err
    first = shard_path(out, "verify", 0).read_bytes()
    assert run_command(capsys, *words, "--threshold", threshold)[0] == 0  # resumes
    assert shard_path(out, "verify", 0).read_bytes() == first
    assert run_command(capsys, *words, "--threshold", "0.999")[0] == 0  # made again
    assert shard_path(out, "verify", 0).read_bytes() != first


def _verify_all(folder: Path, root: Path, rows: list[dict], threshold: float = 1e-6):
    return DetectorVerifier(read_detector(folder), Photos(MediaRoot(root)), threshold=threshold).check(rows)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--detector", "OWL", "--threshold", "1.5"], "--threshold 1.5: it is a score, above 0 and below 1"),
        (["--detector", "OWL", "--batch-size", "0"], "--batch-size 0: give 1 or more"),
        (["--threshold", "0.2"], "--threshold is of a check that looks at the images: give --detector or --clip, too"),
        (["--detector", "nowhere"], "nowhere is not a folder: give that of an OWL-ViT or OWLv2"),
        (["--clip", "nowhere"], "nowhere not found"),
    ],
)
def test_wrong_flags(flags, message, tmp_path, capsys):
    folder = write_folder(tmp_path / "owl", tiny_detector())
    words = ["synth", "verify", "--out", tmp_path, "--media-root", tmp_path]
    code, _, err = run_command(capsys, *words, *(folder if flag == "OWL" else flag for flag in flags))
    assert code == 2
    assert err.startswith(f"negjax: error: {message}")
    assert err.count("\n") == 1


def test_one_check_at_a_time_and_a_folder_of_images(tmp_path, capsys):
    folder = write_folder(tmp_path / "owl", tiny_detector())
    code, _, err = run_command(capsys, "synth", "verify", "--out", tmp_path, "--detector", folder)
    assert (code, err) == (2, "negjax: error: --media-root not given: it is the folder of the images\n")
    with pytest.raises(SystemExit):
        run_command(capsys, "synth", "verify", "--out", tmp_path, "--detector", folder, "--clip", folder)


def test_the_numbers_of_a_damaged_detector_are_an_error(photos):
    detector = tiny_detector()
    detector.params["class_head"]["shift"]["bias"][:] = np.nan
    with pytest.raises(NegjaxError, match="the detector's scores are not finite"):
        DetectorVerifier(detector, photos).check(rows())
