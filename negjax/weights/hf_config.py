"""The configs of a Hugging Face folder, config.json and preprocessor_config.json, in and out.

What depends on the kind of model is in its family. Source: transformers 5.23.0, CLIPImageProcessor and
SiglipImageProcessor.
"""

import json
from collections.abc import Mapping
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig
from negjax.weights.families.family import HfSupport
from negjax.weights.families.table import FAMILIES, family_of

CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
_INTERPOLATION_OF_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_RESAMPLE = {name: number for number, name in _INTERPOLATION_OF_RESAMPLE.items()}


def read_config(folder: epath.Path) -> CLIPConfig:
    """The architecture in a folder's config.json. Raises NegjaxError for a model of no family that negjax has."""
    path = folder / CONFIG_FILE
    data = _read_json(path)
    supports = {family.hf.model_type: family.hf for family in FAMILIES if family.hf}
    model_type = data.get("model_type")
    if not isinstance(model_type, str) or model_type not in supports:
        names = ", ".join(supports)
        raise NegjaxError(
            f"{path}: unsupported model_type {model_type!r}; of transformers' models {names} are supported"
        )
    try:
        return supports[model_type].read_config(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise NegjaxError(f"{path} is malformed ({type(error).__name__}: {error}): download it again") from error
    except NegjaxError as error:
        raise NegjaxError(f"{path}: {error}") from error


def read_preprocess(folder: epath.Path, config: CLIPConfig) -> Preprocess | None:
    """The preprocessing in a folder's preprocessor_config.json, at the size of the architecture; None without one."""
    path = folder / PREPROCESSOR_FILE
    if not path.exists():
        return None
    data = _read_json(path)
    size = data.get("size") or {}
    squash = isinstance(size, Mapping) and "height" in size and not data.get("do_center_crop", False)
    resample = data.get("resample", 3)
    if resample not in _INTERPOLATION_OF_RESAMPLE:
        raise NegjaxError(f"{path}: unsupported resample {resample!r}; supported are 2 (bilinear) and 3 (bicubic)")
    try:
        return Preprocess(
            config.vision.image_size,
            tuple(data["image_mean"]),
            tuple(data["image_std"]),
            _INTERPOLATION_OF_RESAMPLE[resample],  # type: ignore[arg-type]
            "squash" if squash else "shortest",
            rgb_first=True,
        )
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"{path} is malformed ({type(error).__name__}: {error}): download it again") from error


def hf_support(config: CLIPConfig) -> HfSupport:
    """How transformers has this architecture. Raises NegjaxError if it does not."""
    support = family_of(config).hf
    if support is None or not support.fits(config):
        raise NegjaxError(f"transformers has no model of this form ({config.name}): use --to open_clip")
    return support


def write_config(config: CLIPConfig) -> dict[str, Any]:
    """The content of config.json. Raises NegjaxError for what transformers cannot compute."""
    return hf_support(config).write_config(config)


def write_preprocess(config: CLIPConfig, preprocess: Preprocess) -> dict[str, Any]:
    """The content of preprocessor_config.json. Raises NegjaxError for a resize mode that transformers does not have."""
    support = hf_support(config)
    if preprocess.resize_mode == "longest":
        raise NegjaxError("transformers has no preprocessing that keeps the long side: use --to open_clip")
    squash, size = preprocess.resize_mode == "squash", preprocess.size
    if not squash and not support.crops:
        raise NegjaxError(
            f"transformers' {support.image_processor} squashes images, this model crops them: use --to open_clip"
        )
    square = {"height": size, "width": size}
    content: dict[str, Any] = {
        "image_processor_type": support.image_processor,
        "do_resize": True,
        "size": square if squash else {"shortest_edge": size},
        "resample": _RESAMPLE[preprocess.interpolation],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
        "do_convert_rgb": True,
    }
    return content | {"do_center_crop": not squash, "crop_size": square} if support.crops else content


def _read_json(path: epath.Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise NegjaxError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise NegjaxError(f"{path} is not a JSON object: download it again")
    return data
