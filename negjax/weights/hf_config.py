"""The config.json of a Hugging Face folder, in and out. What depends on the kind of model is in its family."""

from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.json_values import check_values
from negjax.models.architecture import CLIPConfig
from negjax.weights.families.family import HfSupport
from negjax.weights.families.hf_towers import SETTING_KINDS
from negjax.weights.families.table import FAMILIES, family_of
from negjax.weights.json_files import read_json_object

HF_CONFIG_FILE = "config.json"


def read_config(folder: epath.Path) -> CLIPConfig:
    """The architecture in a folder's config.json. Raises NegjaxError for a model of no family that negjax has."""
    path = folder / HF_CONFIG_FILE
    data = read_json_object(path)
    supports = {family.hf.model_type: family.hf for family in FAMILIES if family.hf}
    model_type = data.get("model_type")
    if not isinstance(model_type, str) or model_type not in supports:
        names = ", ".join(supports)
        raise NegjaxError(
            f"{path}: unsupported model_type {model_type!r}; of transformers' models {names} are supported"
        )
    try:
        check_values(data, SETTING_KINDS)
        return supports[model_type].read_config(data)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise NegjaxError(f"{path} is malformed ({type(error).__name__}: {error}): download it again") from error
    except NegjaxError as error:
        raise NegjaxError(f"{path}: {error}") from error


def hf_support(config: CLIPConfig) -> HfSupport:
    """How transformers has this architecture. Raises NegjaxError if it does not."""
    support = family_of(config).hf
    if support is None or not support.fits(config):
        raise NegjaxError(f"transformers has no model of this form ({config.name}): use --to open_clip")
    return support


def write_config(config: CLIPConfig) -> dict[str, Any]:
    """The content of config.json. Raises NegjaxError for what transformers cannot compute."""
    return hf_support(config).write_config(config)
