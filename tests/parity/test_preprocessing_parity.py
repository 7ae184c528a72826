"""The image settings of Hugging Face folders against transformers' own processors, from the JPEG on."""

import json
import random
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
transformers = pytest.importorskip("transformers")

from etils import epath  # noqa: E402
from PIL import Image  # noqa: E402
from support.torch_models import hf_clip_case, hf_siglip_case  # noqa: E402
from support.trees import unit  # noqa: E402

import negjax  # noqa: E402
import negjax.weights.write  # noqa: E402
from negjax.errors import NegjaxError  # noqa: E402
from negjax.media.decoding import decode  # noqa: E402
from negjax.media.images import normalise, to_pixels  # noqa: E402
from negjax.weights import hf_preprocessor  # noqa: E402
from negjax.weights.families.clip import CLIP_FAMILY  # noqa: E402
from negjax.weights.hf_config import read_config  # noqa: E402
from negjax.weights.hf_preprocessor import read_preprocess  # noqa: E402

SIZE = 63  # odd, so that margins of crops are odd in half of the pictures
CLASSES = sorted(hf_preprocessor._CLASS_DEFAULTS)
# What transformers computes and negjax refuses by name: crops of pictures as they are, crops out of an oblong to which
# pictures are squashed, and padding, where transformers' backends differ by a pixel.
REFUSED = ("do_resize is false", "only squares", "padding")


@pytest.fixture(scope="module")
def photos(test_data):
    """Photographs of many shapes; all are RGB, since transformers now puts transparent ones on white."""
    paths = sorted((test_data / "coco_val2017").glob("*.jpg"))
    return [path for path in paths if Image.open(path).mode == "RGB"][:4]


def drawn_settings(rng: random.Random) -> dict[str, Any]:
    """Settings as files have them: some left out, some null, in all forms that transformers reads."""
    side = rng.choice([SIZE, SIZE, SIZE + 1, SIZE + 7, 2 * SIZE, SIZE - 3])
    square = {"height": side, "width": side}
    forms = {
        "image_processor_type": rng.choice([*CLASSES, "CLIPImageProcessorFast", "SiglipImageProcessorFast", None]),
        "do_resize": True,
        "size": rng.choice([side, {"shortest_edge": side}, square, [side, side], {"height": side, "width": SIZE}]),
        "default_to_square": rng.choice([True, False]),
        "resample": rng.randrange(6),
        "do_center_crop": rng.choice([True, False]),
        "crop_size": rng.choice([SIZE, {"height": SIZE, "width": SIZE}, [SIZE, SIZE], side]),
        "do_rescale": rng.choice([True, True, False]),
        "rescale_factor": rng.choice([1 / 255, 1 / 127.5, 0.01, 1]),
        "do_normalize": rng.choice([True, True, False]),
        "image_mean": rng.choice([[0.5] * 3, [0.48, 0.45, 0.4], 0.3, [0.0] * 3]),
        "image_std": rng.choice([[0.5] * 3, [0.26, 0.27, 0.28], 0.2, [1.0] * 3]),
        "do_convert_rgb": rng.choice([True, False]),
    }
    if rng.random() < 0.5:  # settings that make sense together
        forms |= {"size": rng.choice([square, [side, side]]), "do_center_crop": True, "crop_size": SIZE}
    keys = [key for key in forms if rng.random() < 0.8]
    return {key: None if rng.random() < 0.05 else forms[key] for key in keys}


def write_folder(folder, settings: dict[str, Any], *, nested: bool):
    config = transformers.CLIPConfig(vision_config={"image_size": SIZE, "patch_size": 9})
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", **config.to_dict()}))
    file, content = ("processor", {"image_processor": settings}) if nested else ("preprocessor", settings)
    if nested:  # the old file stays behind and no longer counts
        (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.1] * 3}))
    (folder / f"{file}_config.json").write_text(json.dumps(content))
    return folder


def read(folder):
    path = epath.Path(folder)
    return read_preprocess(path, read_config(path), CLIP_FAMILY.hf)


def read_or_reason(folder):
    try:
        return read(folder), ""
    except NegjaxError as error:
        return None, str(error)


def theirs_of(folder, photos, backend="pil"):
    """[N, S, S, 3], or the reason why transformers makes nothing that the model takes."""
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend=backend)
        pixels = [processor(Image.open(photo), return_tensors="np")["pixel_values"][0] for photo in photos]
    except (ValueError, TypeError) as error:
        return str(error)
    wrong = [x.shape for x in pixels if x.shape != (3, SIZE, SIZE)]
    return f"shape {wrong[0]}" if wrong else np.stack(pixels).transpose(0, 2, 3, 1)


def test_a_grid_of_settings(photos, tmp_path):
    """The same pixels to rounding, or an error: where transformers fails, and for what is REFUSED."""
    rng, compared, refused = random.Random(0), 0, 0
    for i in range(400):
        settings = drawn_settings(rng)
        folder = write_folder(tmp_path / str(i), settings, nested=rng.random() < 0.5)
        theirs = theirs_of(folder, photos[:2])
        preprocess, reason = read_or_reason(folder)
        if preprocess is None:
            refused += 1
            assert isinstance(theirs, str) or any(words in reason for words in REFUSED), f"{settings}: {reason}"
            assert str(folder) in reason
            continue
        assert not isinstance(theirs, str), f"{settings}: {theirs}"
        ours = np.stack([to_pixels(decode(photo.read_bytes(), "x"), preprocess) for photo in photos[:2]])
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(normalise(ours, preprocess), theirs, atol=2e-6 * scale, err_msg=str(settings))
        compared += 1
    assert compared > 80
    assert refused > 80


def test_the_defaults_of_every_class(photos, tmp_path):
    """A file that names a class and a size alone; and one that names nothing."""
    for name in [*CLASSES, None]:
        settings = {"image_processor_type": name, "size": {"height": SIZE, "width": SIZE}, "crop_size": SIZE}
        folder = write_folder(tmp_path / str(name), settings, nested=False)
        preprocess = read(folder)
        ours = np.stack([to_pixels(decode(photo.read_bytes(), "x"), preprocess) for photo in photos])
        np.testing.assert_allclose(normalise(ours, preprocess), theirs_of(folder, photos), atol=1e-5, err_msg=str(name))


@pytest.mark.parametrize("resample", [2, 3])
def test_their_other_backend_differs_by_a_level(resample, photos, tmp_path):
    settings = {"size": {"shortest_edge": 70}, "crop_size": SIZE, "resample": resample, "do_normalize": False}
    folder = write_folder(tmp_path / "folder", settings, nested=True)
    preprocess = read(folder)
    ours = np.stack([to_pixels(decode(photo.read_bytes(), "x"), preprocess) for photo in photos]).astype(float)
    theirs = theirs_of(folder, photos, "torchvision") * 255
    assert np.abs(ours - theirs).max() <= 1.001
    assert np.abs(ours - theirs).mean() < 0.05


@pytest.mark.parametrize("way", ["save_pretrained", "image_processor alone", "negjax"])
def test_from_the_jpeg_to_the_cosine(way, photos, tmp_path):
    """As the issue found it: a CLIP with mean and std .5, squashed and bilinear, loaded as OpenAI's."""
    case = hf_clip_case()
    case.save(tmp_path)
    size = {"height": case.image_size, "width": case.image_size}
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_center_crop": False, "resample": 2, "size": size}
    processor = transformers.models.clip.image_processing_pil_clip.CLIPImageProcessorPil(**half)
    if way == "image_processor alone":
        processor.save_pretrained(tmp_path)
    else:
        tokenizer = transformers.CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1}, merges=[])
        transformers.CLIPProcessor(processor, tokenizer).save_pretrained(tmp_path)
        assert not (tmp_path / "preprocessor_config.json").exists()
    if way == "negjax":
        negjax.weights.write.write_hf(negjax.load(tmp_path)[0], tmp_path / "again")
        processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "again", backend="pil")
    model, preprocess, _ = negjax.load(tmp_path)
    ours = unit(model.encode_image(np.stack([preprocess(photo) for photo in photos])))
    pixels = processor([Image.open(photo) for photo in photos], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        image = case.embed(pixels, torch.zeros(1, case.context_length, dtype=torch.long))[0].numpy()
    np.testing.assert_allclose(np.sum(ours * image, -1), 1, atol=1e-5)


@pytest.mark.parametrize("case", [hf_clip_case, hf_siglip_case])
@pytest.mark.parametrize("key", ["text_config", "vision_config"])
def test_settings_repeated_in_old_configs(case, key, tmp_path):
    """text_config_dict beside text_config: CLIPConfig prefers it, with its class's defaults; SiglipConfig doesn't."""
    made = case()
    made.save(tmp_path)
    file = tmp_path / "config.json"
    data = json.loads(file.read_text())
    field, value = "layer_norm_eps", 0.125
    kept = dict(data[key])
    data[key][field] = 0.25
    data[f"{key}_dict"] = {name: x for name, x in kept.items() if name != field}
    for old in (data[f"{key}_dict"], {**kept, field: value}):
        data[f"{key}_dict"] = old
        file.write_text(json.dumps(data))
        theirs = getattr(transformers.AutoConfig.from_pretrained(tmp_path), key).layer_norm_eps
        ours = read_config(epath.Path(tmp_path))
        tower = ours.text if key == "text_config" else ours.vision
        assert tower.layer_norm_eps == theirs
