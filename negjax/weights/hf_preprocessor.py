"""The image settings of a Hugging Face folder, preprocessor_config.json or processor_config.json, in and out.

transformers 5 saves a processor as processor_config.json, with the image settings under "image_processor"; an image
processor alone, and older versions, are preprocessor_config.json. Source: transformers 5.24.0, image_processing_base.py
(which file counts) and image_processing_backends.py (what the fields mean). The pixels are those of its Pillow backend;
its torchvision backend, which it takes where that is installed, differs by a level of 255 in some.
"""

import math
from collections.abc import Mapping
from typing import Any, cast

from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import OPENAI_MEAN, OPENAI_STD, RESAMPLING, Preprocess, check_channels
from negjax.models.architecture import CLIPConfig
from negjax.weights.families.family import HfSupport
from negjax.weights.json_files import read_json_object

PREPROCESSOR_FILE, PROCESSOR_FILE = "preprocessor_config.json", "processor_config.json"
_IMAGE_PROCESSOR = "image_processor"  # the key in processor_config.json

_HALF = (0.5, 0.5, 0.5)
_OPENAI = {"image_mean": OPENAI_MEAN, "image_std": OPENAI_STD}
_ALL = {
    "do_resize": True,
    "default_to_square": True,
    "resample": 3,
    "do_center_crop": False,
    "crop_size": None,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": _HALF,
    "image_std": _HALF,
    "do_convert_rgb": True,
    "do_pad": False,
    "use_square_size": False,
}
_SWITCHES = [field for field, default in _ALL.items() if isinstance(default, bool)]
_CLIP = (
    _ALL
    | _OPENAI
    | {"default_to_square": False, "size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": 224}
)
# The classes of transformers that do nothing beyond these fields, with the defaults of their fields.
_CLASS_DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIPImageProcessor": _CLIP,
    "ChineseCLIPImageProcessor": _CLIP,
    "BitImageProcessor": _CLIP,
    "SiglipImageProcessor": _ALL | {"default_to_square": False, "size": [224, 224]},
    "ViTImageProcessor": _ALL | {"size": [224, 224], "resample": 2},
    "DeiTImageProcessor": _ALL | {"size": [256, 256], "do_center_crop": True, "crop_size": 224},
    "BlipImageProcessor": _ALL | _OPENAI | {"size": [384, 384]},
}
# Those of detectors, each for its own model alone.
_DETECTOR_DEFAULTS: dict[str, dict[str, Any]] = {
    "OwlViTImageProcessor": _ALL | _OPENAI | {"size": [768, 768]},
    "Owlv2ImageProcessor": _ALL | _OPENAI | {"size": [960, 960], "resample": 2, "do_pad": True},
}
_INTERPOLATION_OF_RESAMPLE = {int(number): name for name, number in RESAMPLING.items()}  # Pillow's numbers


def read_preprocess(folder: epath.Path, config: CLIPConfig, support: HfSupport) -> Preprocess | None:
    """Reads the image settings of a folder.

    Args:
        folder: A Hugging Face folder.
        config: Its architecture.
        support: How transformers has its family.

    Returns:
        The preprocessing, None where the folder has no settings.

    Raises:
        NegjaxError: If a setting is malformed, or asks for what is not computed here; it names file and field.
    """
    return read_image_settings(folder, config.vision.image_size, support.image_processor)


def read_image_settings(
    folder: epath.Path, image_size: int, image_processor: str, *, pads: bool = False
) -> Preprocess | None:
    """As `read_preprocess`, for any model.

    Args:
        folder: A Hugging Face folder.
        image_size: Side of its images in pixels.
        image_processor: transformers' class for it, where the folder does not name one.
        pads: Whether the model's images are padded to a square before they are resized, which the result does not say.
    """
    where, data = _find_settings(folder)
    if data is None:
        return None
    try:
        return _read_settings(_complete(data, image_processor), image_size, pads)
    except NegjaxError as error:
        raise NegjaxError(f"{where}: {error}") from error


def parse_preprocess(data: Mapping[str, Any], image_size: int, support: HfSupport) -> Preprocess:
    """The preprocessing that transformers does by the content of a preprocessor_config.json.

    Raises:
        NegjaxError: If a setting is malformed, or asks for what is not computed here.
    """
    return _read_settings(_complete(data, support.image_processor), image_size)


def write_preprocess(support: HfSupport, preprocess: Preprocess) -> dict[str, Any]:
    """The content of preprocessor_config.json. Raises NegjaxError for a resize mode that transformers does not have."""
    if preprocess.resize_mode == "longest":
        raise NegjaxError("transformers has no preprocessing that keeps the long side: use --to open_clip")
    squash = preprocess.resize_mode == "squash"
    crop = not squash or preprocess.resize_size is not None
    if crop and not support.crops:
        raise NegjaxError(
            f"transformers' {support.image_processor} squashes images, this model crops them: use --to open_clip"
        )
    side = preprocess.resize_size or preprocess.size
    content: dict[str, Any] = {
        "image_processor_type": support.image_processor,
        "do_resize": True,
        "size": {"height": side, "width": side} if squash else {"shortest_edge": side},
        "resample": int(RESAMPLING[preprocess.interpolation]),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
        "do_convert_rgb": True,
    }
    crop_size = {"height": preprocess.size, "width": preprocess.size}
    return content | {"do_center_crop": crop, "crop_size": crop_size} if support.crops else content


def _find_settings(folder: epath.Path) -> tuple[str, dict[str, Any] | None]:
    """Where the settings are, for errors, and the settings; None without any."""
    processor, preprocessor = folder / PROCESSOR_FILE, folder / PREPROCESSOR_FILE
    if processor.exists():
        settings = read_json_object(processor).get(_IMAGE_PROCESSOR)
        if settings is not None:
            if not isinstance(settings, dict):
                raise NegjaxError(f"{processor}: {_IMAGE_PROCESSOR} is {settings!r}: it must be an object")
            return f"{processor}: {_IMAGE_PROCESSOR}", settings
    return str(preprocessor), read_json_object(preprocessor) if preprocessor.exists() else None


def _complete(data: Mapping[str, Any], image_processor: str) -> dict[str, Any]:
    """All fields: those that the file leaves out have the defaults of its class; null switches off."""
    class_name = data.get("image_processor_type") or data.get("feature_extractor_type") or image_processor
    class_name = str(class_name).replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast").removesuffix("Pil")
    of_detector = image_processor in _DETECTOR_DEFAULTS
    classes = {image_processor: _DETECTOR_DEFAULTS[image_processor]} if of_detector else _CLASS_DEFAULTS
    if class_name not in classes:
        raise NegjaxError(f"unsupported image_processor_type {class_name!r}; supported are {', '.join(classes)}")
    if of_detector and "rescale" in data:  # as the first files of OWL-ViT have it
        data = {**data, "do_rescale": data["rescale"]}
    fields = {field: data.get(field, default) for field, default in classes[class_name].items()}
    return {field: False if x is None and field in _SWITCHES else x for field, x in fields.items()}


def _read_settings(fields: Mapping[str, Any], image_size: int, pads: bool = False) -> Preprocess:
    for field in _SWITCHES:
        if not isinstance(fields[field], bool):
            raise NegjaxError(f"{field} is {fields[field]!r}: it must be true or false")
    if not fields["do_resize"]:
        raise NegjaxError("do_resize is false: not supported, images are resized to the model's size")
    for field, supported in (("do_pad", pads), ("use_square_size", False)):
        if fields[field] != supported:
            raise NegjaxError(f"{field} is {str(fields[field]).lower()}: not supported")
    resample = fields["resample"]
    if type(resample) is not int or resample not in _INTERPOLATION_OF_RESAMPLE:
        names = ", ".join(f"{number} ({name})" for number, name in sorted(_INTERPOLATION_OF_RESAMPLE.items()))
        raise NegjaxError(f"unsupported resample {resample!r}; supported are {names}")
    mean, std = _read_normalisation(fields)
    side, squash = _read_geometry(fields, image_size)
    return Preprocess(
        image_size,
        mean,
        std,
        cast(Any, _INTERPOLATION_OF_RESAMPLE[resample]),
        "squash" if squash else "shortest",
        rgb_first=True,
        resize_size=None if side == image_size else side,
        crop_rounding="even" if squash and side == image_size else "down",
    )


def _read_normalisation(fields: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean and standard deviation for pixels in [0, 1] that do what rescaling and normalising do to those up to 255."""
    scale: float = 255  # of what is normalised, where pixels in [0, 1] have 1
    if fields["do_rescale"]:
        factor = fields["rescale_factor"]
        if type(factor) not in (int, float) or not (math.isfinite(factor) and factor > 0):
            raise NegjaxError(f"rescale_factor is {factor!r}: it must be a number greater than 0")
        scale *= factor
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    if fields["do_normalize"]:
        mean, std = _read_channels(fields, "image_mean"), _read_channels(fields, "image_std")
        if min(std) <= 0:
            raise NegjaxError(f"image_std is {fields['image_std']!r}: its values must be greater than 0")
    return tuple(x / scale for x in mean), tuple(x / scale for x in std)


def _read_channels(fields: Mapping[str, Any], field: str) -> tuple[float, ...]:
    value = fields[field]
    value = (value,) * 3 if type(value) in (int, float) else value
    check_channels(field, value)
    return tuple(value)


def _read_geometry(fields: Mapping[str, Any], image_size: int) -> tuple[int, bool]:
    """The side to which images are resized, and whether both sides are."""
    height, width = _read_size("size", fields["size"], fields["default_to_square"])
    if width and height != width:
        raise NegjaxError(f"size is {fields['size']!r}: only squares are supported")
    if not fields["do_center_crop"]:
        if not width:
            raise NegjaxError(f"size is {fields['size']!r} and do_center_crop is false: images would not be square")
        if height != image_size:
            raise NegjaxError(f"size is {fields['size']!r}, and the model's images have {image_size} pixels a side")
        return height, True
    if _read_size("crop_size", fields["crop_size"], True) != (image_size, image_size):
        raise NegjaxError(
            f"crop_size is {fields['crop_size']!r}, and the model's images have {image_size} pixels a side"
        )
    if height < image_size:
        raise NegjaxError(
            f"size is {fields['size']!r}, less than the crop_size of {image_size}: padding is not supported"
        )
    return height, bool(width)


def _read_size(field: str, value: Any, square: bool) -> tuple[int, int]:
    """Height and width; (short side, 0) for a size of the short side alone."""
    numbers: Any = value
    if isinstance(value, Mapping):
        sizes = {key: number for key, number in value.items() if number is not None}
        if sizes.keys() == {"shortest_edge"} and field == "size":
            numbers, square = sizes["shortest_edge"], False
        elif sizes.keys() == {"height", "width"}:
            numbers = [sizes["height"], sizes["width"]]
    numbers = [numbers, numbers] if not isinstance(numbers, list) and square else numbers
    given = numbers if isinstance(numbers, list) else [numbers]
    if len(given) != (2 if isinstance(numbers, list) else 1) or not all(type(x) is int and x > 0 for x in given):
        raise NegjaxError(
            f'unsupported {field} {value!r}; supported are a number of pixels, {{"shortest_edge": N}} and '
            '{"height": N, "width": N}'
        )
    return (given[0], given[1]) if len(given) == 2 else (given[0], 0)
