"""The architecture, activation, preprocessing and tokenizer of a weights file.

The file, a config beside it, or the user states them; they are never guessed.
"""

import dataclasses
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess, at_size
from negjax.models.architecture import CLIPConfig, TextEncoderConfig, with_activation
from negjax.models.presets import preset, variant_names
from negjax.weights import hf_config, hf_preprocessor, open_clip_config
from negjax.weights.detect import MAX_MISMATCHES, fitting_presets, unknown_names
from negjax.weights.families.encoders import sized_by_tensors
from negjax.weights.families.family import WeightFormat
from negjax.weights.families.table import FAMILIES, family_of
from negjax.weights.families.tokenizer import has_clip_tokenizer
from negjax.weights.lazy_tensor import LazyTensor
from negjax.weights.openai import read_openai_config
from negjax.weights.tensors import TensorFile

CONFIG_METADATA_KEY = "open_clip_config"  # in the header of safetensors files that negjax writes: the config as JSON

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """The description of a weights file.

    Attributes:
        config: The architecture, with the activation to compute with.
        weights_activation: The activation that the weights were trained with, "" if unknown.
        preprocess: None where nothing states it.
        tokenizer_kwargs: open_clip's, None where transformers, or code of the model's own, reads the tokenizer.
    """

    config: CLIPConfig
    weights_activation: str
    preprocess: Preprocess | None = None
    tokenizer_kwargs: dict[str, Any] | None = None


def describe_weights(
    opened: TensorFile,
    tensors: Mapping[str, LazyTensor],
    file: epath.Path,
    format: WeightFormat,
    arch: str,
    activation: str,
    config_text: str = "",
) -> Description:
    """Describes a weights file.

    Args:
        opened: The file's content.
        tensors: Its tensors, under the names of the format's table.
        file: Its path; a config may be in the same folder.
        format: Its format.
        arch: A preset's name or an open_clip config file; "" for what the file states.
        activation: Overrides the activation; "" for what the file or `arch` states.
        config_text: The open_clip_config.json that counts instead of what the file states.

    Returns:
        The description, with preprocessing at the size of the architecture.

    Raises:
        NegjaxError: If `arch` contradicts the activation that the file states, or nothing states one.
    """
    if config_text:
        stated: Description | None = _read_open_clip(config_text, str(file))
    else:
        stated = _read_stated(opened, tensors, file, format, activation)
    requested = _read_requested(arch)
    if stated and requested and stated.weights_activation != requested.weights_activation and not activation:
        raise NegjaxError(
            f"{file} was made with activation {stated.weights_activation} and {arch} has "
            f"{requested.weights_activation}: give another --arch, or override it on purpose with --activation"
        )
    description = stated or requested or _match_preset(tensors, format, file, activation)
    config = requested.config if requested else description.config
    if isinstance(config.text, TextEncoderConfig):
        config = dataclasses.replace(config, text=sized_by_tensors(config.text, format, tensors))
    config = with_activation(config, activation) if activation else config
    if format.tensor_name("logit_bias") in tensors and config.logit_bias_init is None:
        config = dataclasses.replace(config, logit_bias_init=-10.0)
    preprocess = description.preprocess
    preprocess = preprocess and at_size(preprocess, config.vision.image_size)
    kwargs = description.tokenizer_kwargs
    if kwargs is None:
        kwargs = _usual_tokenizer_kwargs(config, format, file)
    return dataclasses.replace(description, config=config, preprocess=preprocess, tokenizer_kwargs=kwargs)


def _usual_tokenizer_kwargs(config: CLIPConfig, format: WeightFormat, file: epath.Path) -> dict[str, Any] | None:
    """What open_clip's config of an architecture says of the tokenizer, for weights of its format without a config."""
    support = family_of(config).open_clip
    if support is None or support.format != format or (kwargs := support.tokenizer_kwargs(config.name)) is None:
        return None
    if not has_clip_tokenizer(config):
        cleaning = ", ".join(f"{key} {value}" for key, value in ({"clean": "whitespace"} | dict(kwargs)).items())
        logger.info("%s: the folder's tokenizer is used as open_clip does for %s (%s)", file, config.name, cleaning)
    return dict(kwargs)


def _read_stated(
    opened: TensorFile, tensors: Mapping[str, LazyTensor], file: epath.Path, format: WeightFormat, activation: str
) -> Description | None:
    """What a config beside the file, or the file itself, states; None without either."""
    folder = file.parent
    if any(family.hf and family.hf.format == format for family in FAMILIES):
        if not (folder / hf_config.HF_CONFIG_FILE).exists():
            return None
        config = open_clip_config.with_known_name(hf_config.read_config(folder))
        support = family_of(config).hf
        preprocess = hf_preprocessor.read_preprocess(folder, config, support) if support else None
        return Description(config, config.activation, preprocess)
    header = opened.metadata.get(CONFIG_METADATA_KEY)
    config_file = folder / open_clip_config.CONFIG_FILE
    if config_file.exists():
        beside = _read_open_clip(config_file.read_text(), str(config_file))
        if header is not None:
            _compare_with_header(
                beside, config_file, _read_open_clip(header, f"the header of {file}"), header, activation
            )
        return beside
    if header is not None:
        return _read_open_clip(header, f"the header of {file}")
    if opened.openai:
        config = open_clip_config.with_known_name(read_openai_config(tensors))
        return Description(config, config.activation, Preprocess(config.vision.image_size))
    return None


def _compare_with_header(
    beside: Description, config_file: epath.Path, in_header: Description, header: str, activation: str
) -> None:
    """Tells how the config beside a file, which counts as it does for open_clip, differs from that in its header.

    Raises:
        NegjaxError: If they differ in the activation, and `activation` does not decide.
    """
    if beside == in_header:
        return
    names = ", ".join(_differences(json.loads(header), json.loads(config_file.read_text()))[:MAX_MISMATCHES])
    if beside.weights_activation != in_header.weights_activation and not activation:
        raise NegjaxError(
            f"{config_file} differs from the config in the weights' header in {names}, and so in the activation: "
            f"{beside.weights_activation} instead of {in_header.weights_activation}: give --activation"
        )
    logger.warning(
        "%s differs from the config in the weights' header in %s: the file counts; delete it to use the header's",
        config_file,
        names,
    )


def _differences(first: Any, second: Any, name: str = "") -> list[str]:
    """The names of the values in which two JSON objects differ."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return [] if first == second else [name]
    keys = dict.fromkeys([*first, *second])
    return [
        difference
        for key in keys
        for difference in _differences(first.get(key), second.get(key), f"{name}.{key}" if name else key)
    ]


def _read_requested(arch: str) -> Description | None:
    """What --arch names, a preset or an open_clip config file; None without it."""
    if not arch.endswith(".json"):
        return Description(preset(arch), preset(arch).activation) if arch else None
    try:
        return _read_open_clip(epath.Path(arch).read_text(), arch)
    except OSError as error:
        raise NegjaxError(f"--arch {arch}: cannot read it ({error.strerror or error})") from error


def _read_open_clip(text: str, where: str) -> Description:
    config, preprocess, tokenizer_kwargs = open_clip_config.read_config(text, where)
    return Description(config, config.activation, preprocess, tokenizer_kwargs)


def _match_preset(
    tensors: Mapping[str, LazyTensor], format: WeightFormat, file: epath.Path, activation: str
) -> Description:
    """The only preset that fits the shapes, if the user gives the activation; raises NegjaxError otherwise."""
    fitting = fitting_presets(tensors, format)
    if len(fitting) == 1 and activation:
        return Description(fitting[0], "")
    if fitting:
        names = [name for config in fitting for name in variant_names(config.name)]
        raise NegjaxError(f"{file} does not say its activation: give --arch {' or '.join(names[:4])}")
    if unknown := unknown_names(tensors, format):
        examples = ", ".join(unknown[:3])
        if any("lora_" in name for name in unknown):
            raise NegjaxError(
                f"{file} holds LoRA weights beside the model's ({examples}): merge them before it is saved"
            )
        raise NegjaxError(
            f"{file} holds {len(unknown)} tensors that no supported model has ({examples}): it is another kind of "
            "model, which no config makes readable"
        )
    raise NegjaxError(
        f"{file} does not say its architecture, and no preset has these shapes: give a config of open_clip, "
        "--arch FILE.json"
    )
