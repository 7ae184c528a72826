"""Image settings of Hugging Face folders: each that changes pixels is used, or refused by file and field."""

import json
import math

import pytest
from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import OPENAI_MEAN, OPENAI_STD, Preprocess
from negjax.models.presets import preset
from negjax.weights.families.clip import CLIP_FAMILY
from negjax.weights.families.siglip import SIGLIP_FAMILY
from negjax.weights.hf_preprocessor import read_preprocess, write_preprocess

SQUARE = {"height": 224, "width": 224}
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def read(folder, family=CLIP_FAMILY, file="preprocessor_config.json", **settings):
    (folder / file).write_text(json.dumps({"image_processor": settings} if file.startswith("processor") else settings))
    return read_preprocess(epath.Path(folder), preset("ViT-B-32"), family.hf)


def clip(**changes) -> Preprocess:
    return Preprocess(**{"crop_rounding": "down", "rgb_first": True, **changes})


def squash(**changes) -> Preprocess:
    return Preprocess(**{"resize_mode": "squash", "rgb_first": True, **changes})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, clip()),
        ({"image_processor_type": "CLIPImageProcessorFast", "do_convert_rgb": None}, clip()),
        ({"do_normalize": None, "image_mean": None}, clip(mean=(0.0,) * 3, std=(1.0,) * 3)),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}, clip()),
        ({"size": {"shortest_edge": 256}, "crop_size": SQUARE}, clip(resize_size=256)),
        ({"size": [256, 256], "resample": 2}, clip(resize_size=256, resize_mode="squash", interpolation="bilinear")),
        ({"size": SQUARE, "do_center_crop": False}, squash()),
        ({"size": 224, "do_center_crop": False, "default_to_square": True}, squash()),
        (
            {"image_processor_type": "SiglipImageProcessor"},
            squash(mean=(0.5,) * 3, std=(0.5,) * 3),
        ),
        (
            {"image_processor_type": "ViTImageProcessor"},
            squash(mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear"),
        ),
        ({**HALF, "resample": 1}, clip(mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="lanczos")),
        ({"do_normalize": False}, clip(mean=(0.0,) * 3, std=(1.0,) * 3)),
        ({**HALF, "rescale_factor": 2 / 255}, clip(mean=(0.25,) * 3, std=(0.25,) * 3)),
        ({"image_mean": 127.5, "image_std": 255, "do_rescale": False}, clip(mean=(0.5,) * 3, std=(1.0,) * 3)),
        ({"do_normalize": False, "do_rescale": False}, clip(mean=(0.0,) * 3, std=(1 / 255,) * 3)),
    ],
)
@pytest.mark.parametrize("file", ["preprocessor_config.json", "processor_config.json"])
def test_settings(tmp_path, file, settings, expected):
    assert read(tmp_path, file=file, **settings) == expected


def test_which_file_counts(tmp_path):
    assert read_preprocess(epath.Path(tmp_path), preset("ViT-B-32"), CLIP_FAMILY.hf) is None
    assert read(tmp_path, **HALF).mean == (0.5,) * 3
    (tmp_path / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')  # as transformers 4 has it
    assert read(tmp_path, **HALF).mean == (0.5,) * 3
    assert read(tmp_path, file="processor_config.json").mean == OPENAI_MEAN
    (tmp_path / "processor_config.json").write_text('{"image_processor": "x"}')
    with pytest.raises(NegjaxError, match=r"processor_config\.json: image_processor is 'x': it must be an object"):
        read_preprocess(epath.Path(tmp_path), preset("ViT-B-32"), CLIP_FAMILY.hf)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image_mean", "x", "image_mean is 'x': give three finite numbers"),
        ("image_mean", [0.5, 0.5], "image_mean is .*: give three finite numbers"),
        ("image_mean", [0.5, math.nan, 0.5], "image_mean is .*nan"),
        ("image_std", [0.5, 0, 0.5], "image_std is .*: its values must be greater than 0"),
        ("image_std", [True] * 3, "image_std is .*True"),
        ("image_mean", None, "image_mean is None"),
        ("size", None, "unsupported size None"),
        ("resample", None, "unsupported resample None"),
        ("rescale_factor", 0, "rescale_factor is 0: it must be a number greater than 0"),
        ("rescale_factor", "1/255", "rescale_factor is '1/255'"),
        ("rescale_factor", math.inf, "rescale_factor is inf"),
        ("do_normalize", "no", "do_normalize is 'no': it must be true or false"),
        ("do_resize", False, "do_resize is false: not supported"),
        ("do_pad", True, "do_pad is true: not supported"),
        ("use_square_size", True, "use_square_size is true: not supported"),
        ("do_center_crop", False, ".*do_center_crop is false: images would not be square"),
        ("resample", "bicubic", "unsupported resample 'bicubic'; supported are 0 .nearest., 1 .lanczos."),
        ("resample", 6, "unsupported resample 6"),
        ("size", {"height": 224, "width": 256}, "size is .*256.*: only squares are supported"),
        ("size", {"longest_edge": 224}, "unsupported size .*longest_edge"),
        ("size", {"shortest_edge": 224, "longest_edge": 300}, "unsupported size .*longest_edge"),
        ("size", -224, "unsupported size -224"),
        ("size", "224", "unsupported size '224'"),
        ("size", 200, "size is 200, less than the crop_size of 224: padding is not supported"),
        ("crop_size", 336, "crop_size is 336, and the model's images have 224 pixels a side"),
        ("crop_size", {"shortest_edge": 224}, "unsupported crop_size"),
        ("image_processor_type", "OwlViTImageProcessor", "unsupported image_processor_type 'OwlViTImageProcessor'"),
        ("image_processor_type", ["x"], "unsupported image_processor_type"),
    ],
)
def test_what_is_refused_by_file_and_field(tmp_path, field, value, message):
    with pytest.raises(NegjaxError, match=rf"/preprocessor_config\.json: {message}"):
        read(tmp_path, **{field: value})


@pytest.mark.parametrize(
    ("family", "preprocess"),
    [
        (CLIP_FAMILY, clip()),
        (CLIP_FAMILY, clip(resize_size=256, interpolation="box")),
        (CLIP_FAMILY, clip(resize_size=256, resize_mode="squash", std=(0.1, 0.2, 0.3))),
        (CLIP_FAMILY, squash(interpolation="bilinear")),
        (SIGLIP_FAMILY, squash(mean=(0.5, 0.4, 0.3))),
    ],
)
def test_what_is_written_reads_back(tmp_path, family, preprocess):
    assert read(tmp_path, family, **write_preprocess(family.hf, preprocess)) == preprocess


def test_what_transformers_cannot_do():
    for preprocess, message in (
        (Preprocess(resize_mode="longest"), "no preprocessing that keeps the long side"),
        (Preprocess(), "SiglipImageProcessor squashes images, this model crops them"),
        (Preprocess(resize_mode="squash", resize_size=256), "SiglipImageProcessor squashes images"),
    ):
        with pytest.raises(NegjaxError, match=message):
            write_preprocess(SIGLIP_FAMILY.hf, preprocess)
    assert write_preprocess(CLIP_FAMILY.hf, Preprocess())["image_std"] == list(OPENAI_STD)
