"""What a weights file is: as it says itself, or a config beside it, or the user. Never guessed."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig, with_activation
from negjax.models.presets import QUICKGELU, preset
from negjax.weights import hf_config, open_clip_config
from negjax.weights.sources import candidates, openai_config
from negjax.weights.stored import Stored
from negjax.weights.tables import WeightFormat
from negjax.weights.tensors import TensorFile

CARRIED = "open_clip_config"  # our safetensors files carry this JSON in their header


@dataclass(frozen=True)
class Description:
    """config: as the model is to be computed. recorded: the activation that the weights were made with, "" if unknown.

    preprocess: None where nothing says it. tokenizer: open_clip's tokenizer_kwargs, None without a config of open_clip.
    """

    config: CLIPConfig
    recorded: str
    preprocess: Preprocess | None = None
    tokenizer: dict[str, Any] | None = None


def describe(
    opened: TensorFile,
    tensors: Mapping[str, Stored],
    file: epath.Path,
    source: WeightFormat,
    arch: str,
    activation: str,
) -> Description:
    """arch: a preset's name or an open_clip config file, "" for what is said. activation: overrides what is said.

    Raises NegjaxError when arch contradicts what the file says of its activation, and when nothing says it.
    """
    said, asked = _said(opened, tensors, file, source), _asked(arch)
    if said and asked and said.recorded != asked.recorded and not activation:
        raise NegjaxError(
            f"{file} was made with activation {said.recorded} and {arch} has {asked.recorded}: "
            "give another --arch, or override it on purpose with --activation"
        )
    found = said or asked or _fitting(tensors, source, file, activation)
    config = asked.config if asked else found.config
    config = with_activation(config, activation) if activation else config
    if "logit_bias" in tensors and config.logit_bias_init is None:
        config = dataclasses.replace(config, logit_bias_init=-10.0)
    preprocess = found.preprocess and dataclasses.replace(found.preprocess, size=config.vision.image_size)
    return dataclasses.replace(found, config=config, preprocess=preprocess)


def _said(
    opened: TensorFile, tensors: Mapping[str, Stored], file: epath.Path, source: WeightFormat
) -> Description | None:
    """What the file says of itself, or a config beside it."""
    beside = file.parent / open_clip_config.NAME
    if source.startswith("hf"):
        if not (file.parent / hf_config.NAME).exists():
            return None
        config = open_clip_config.named(hf_config.read_config(file.parent))
        return Description(config, config.activation, hf_config.read_preprocess(file.parent, config))
    if CARRIED in opened.metadata:
        return _open_clip(opened.metadata[CARRIED], str(file))
    if beside.exists():
        return _open_clip(beside.read_text(), str(beside))
    if opened.openai:
        config = open_clip_config.named(openai_config(tensors))
        return Description(config, config.activation)
    return None


def _asked(arch: str) -> Description | None:
    if not arch.endswith(".json"):
        return Description(preset(arch), preset(arch).activation) if arch else None
    try:
        return _open_clip(epath.Path(arch).read_text(), arch)
    except OSError as error:
        raise NegjaxError(f"--arch {arch}: cannot read it ({error.strerror or error})") from error


def _open_clip(text: str, where: str) -> Description:
    config, preprocess, tokenizer = open_clip_config.read_config(text, where)
    return Description(config, config.activation, preprocess, tokenizer)


def _fitting(tensors: Mapping[str, Stored], source: WeightFormat, file: epath.Path, activation: str) -> Description:
    """The one architecture that the shapes fit, where the user gives the activation; else an error that asks for it."""
    fitting = candidates(tensors, source)
    if len(fitting) == 1 and activation:
        return Description(fitting[0], "")
    names = [config.name + end for config in fitting for end in ("", QUICKGELU) if not (end and "siglip" in source)]
    if names:
        raise NegjaxError(f"{file} does not say its activation: give --arch {' or '.join(names[:4])}")
    raise NegjaxError(
        f"{file} does not say its architecture, and no preset has these shapes: give a config of open_clip, "
        "--arch FILE.json"
    )
