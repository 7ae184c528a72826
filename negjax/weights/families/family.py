"""The interface of a family of weights: how libraries name its tensors and describe its models, and its tokenizer.

A family is one file in this folder and one line in `negjax.weights.families.table`; its architectures are in
`negjax.models.presets`. All else (detection, reading, conversion in every direction) iterates over the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.models.architecture import CLIPConfig, ImageConfig, TextConfig, TextEncoderConfig
from negjax.tokenizers import AnyTokenizer
from negjax.weights.families.open_clip_towers import read_text, write_text
from negjax.weights.families.tokenizer import read_clip_or_folder_tokenizer
from negjax.weights.tensor_layouts import TensorLayout


@dataclass(frozen=True)
class TableRow:
    """One parameter in a format's table.

    Attributes:
        path: Our path of the parameter, e.g. "text/transformer/blocks/{i}/up/kernel" with "{i}" for a block's number.
        names: The tensors that hold it, with the same "{i}".
        layout: How the tensors become the parameter, and back.
    """

    path: str
    names: tuple[str, ...]
    layout: TensorLayout


@dataclass(frozen=True)
class WeightFormat:
    """One way to name the tensors of a model; families may share one.

    Attributes:
        name: As checkpoints and results record it, e.g. "open_clip_siglip".
        markers: Tensors that all files of this format have, and no files of a format later in the table of families.
        rows: One for each parameter that an architecture of the format may have.
        optional_prefix: A beginning of tensor names that may be missing, e.g. "text.".
        scale_keeps_shape: Whether scalars are written in the shape that the source had, [] or [1].
        left_out: Beginnings of the names of tensors that are no part of the model, such as CoCa's decoder.
    """

    name: str
    markers: tuple[str, ...]
    rows: tuple[TableRow, ...]
    optional_prefix: str = ""
    scale_keeps_shape: bool = False
    left_out: tuple[str, ...] = ()

    def tensor_name(self, path: str) -> str | None:
        """The tensor that holds a parameter alone; None where the format has no such row."""
        return next((row.names[0] for row in self.rows if row.path == path and len(row.names) == 1), None)


@dataclass(frozen=True)
class OpenClipSupport:
    """A family's models in open_clip.

    Attributes:
        format: The names of the tensors.
        matches: model_cfg of an open_clip_config.json -> whether it describes this family; the first match in the table
            of families counts.
        read_vision: (vision_cfg, whether model_cfg says quick_gelu) -> the image tower.
        write_vision: The inverse, as the entries of model_cfg that describe the image tower.
        read_text: (text_cfg, whether model_cfg says quick_gelu, folder of the config) -> the text tower.
        write_text: (text tower, folder to be written) -> its text_cfg, without the tokenizer.
        complete: Whether open_clip's models of the same names have no more parameters; else what is written is loaded
            by its config alone.
        tokenizer_kwargs: open_clip's name of an architecture -> the `tokenizer_kwargs` in its config of that name; None
            for models that only other code reads.
    """

    format: WeightFormat
    matches: Callable[[Mapping[str, Any]], bool]
    read_vision: Callable[[Mapping[str, Any], bool], ImageConfig]
    write_vision: Callable[[ImageConfig], dict[str, Any]]
    read_text: Callable[[Mapping[str, Any], bool, epath.Path], TextConfig | TextEncoderConfig] = read_text
    write_text: Callable[[Any, str], dict[str, Any]] = write_text
    complete: bool = True
    tokenizer_kwargs: Callable[[str], Mapping[str, Any] | None] = lambda name: {}


@dataclass(frozen=True)
class HfSupport:
    """A family's models in transformers.

    Attributes:
        format: The names of the tensors.
        model_type: As config.json says it.
        read_config: Content of config.json -> the architecture.
        fits: Whether transformers has a model that computes this architecture.
        write_config: The inverse of `read_config`, for an architecture that fits.
        image_processor: transformers' class that prepares the images.
        crops: Whether that class can crop; else it squashes.
    """

    format: WeightFormat
    model_type: str
    read_config: Callable[[Mapping[str, Any]], CLIPConfig]
    fits: Callable[[CLIPConfig], bool]
    write_config: Callable[[CLIPConfig], dict[str, Any]]
    image_processor: str
    crops: bool


@dataclass(frozen=True)
class WeightFamily:
    """A family of weights.

    Attributes:
        name: The `CLIPConfig.family` of its architectures.
        models: Its models as errors list them.
        open_clip: None for a family that open_clip does not have.
        hf: None for a family that transformers does not have.
        read_tokenizer: (architecture, folder of the weights, open_clip's tokenizer_kwargs or None) -> the tokenizer.
    """

    name: str
    models: str
    open_clip: OpenClipSupport | None = None
    hf: HfSupport | None = None
    read_tokenizer: Callable[[CLIPConfig, epath.Path, Mapping[str, Any] | None], AnyTokenizer] = (
        read_clip_or_folder_tokenizer
    )

    @property
    def formats(self) -> tuple[WeightFormat, ...]:
        """The formats in which its weights are read and written."""
        return tuple(library.format for library in (self.open_clip, self.hf) if library)
