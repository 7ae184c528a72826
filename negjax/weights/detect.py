"""Detects the model in a file of tensors: its format by tensor names, the fitting architectures by shapes."""

import math
import re
from collections.abc import Iterable, Mapping

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, TextEncoderConfig, VisionConfig
from negjax.models.clip import Params, abstract_params, flatten_params
from negjax.models.convnets import ConvNeXtConfig
from negjax.models.presets import PRESETS
from negjax.weights.entries import parameter_entries
from negjax.weights.families.family import WeightFormat
from negjax.weights.families.table import all_formats, family_of, supported_models
from negjax.weights.lazy_tensor import LazyTensor

MAX_MISMATCHES = 10  # that a message lists
_MAX_SIZE_RATIO = 20  # of an architecture to the file that is said to hold it
_BUFFER = re.compile(  # no weights
    r"(^|\.)(attn_mask|position_ids|input_resolution|context_length|vocab_size|num_batches_tracked)$"
)
_UNSUPPORTED_PREFIXES = (  # a beginning of tensor names, and the model that has it
    ("visual.layer1.", "another ResNet than OpenAI's"),
    ("visual.attn_pool.probe", "PE-Core in Meta's own form instead of open_clip's (hf-hub:timm/PE-Core-B-16)"),
    ("visual.trunk.stem.0.conv_", "a MobileCLIP-S, with timm's FastViT"),
    ("visual.trunk.stem.0.reparam_conv.", "a MobileCLIP-S, with timm's FastViT"),
    ("visual.trunk.", "an open_clip model with another tower of timm's"),
    ("text_decoder.", "another CoCa than open_clip's"),
    ("text.cls_emb", "another CoCa than open_clip's"),
    ("text.transformer.embeddings.", "an open_clip model with a text tower of transformers'"),
    ("text.transformer.embed_tokens.", "an open_clip model with a text tower of transformers'"),
    ("text_model.encoder.layer.", "AltCLIP"),
    ("visual.blocks.", "EVA-CLIP in BAAI's own form instead of open_clip's (open_clip:EVA02-B-16/merged2b_s8b_b131k)"),
    ("image_encoder.", "MobileCLIP in Apple's own form instead of open_clip's (open_clip:MobileCLIP-B/datacompdr)"),
)


def detect_format(tensors: Mapping[str, LazyTensor], where: str) -> WeightFormat:
    """The format of a file's tensors.

    Args:
        tensors: The tensors by name.
        where: Names the file in errors.

    Raises:
        NegjaxError: If the model is not supported; the message names the model if its tensors identify it.
    """
    formats = (format for format in all_formats() if all(name in tensors for name in format.markers))
    format = next(formats, None)
    format_names = [*(name for row in format.rows for name in row.names), *format.left_out] if format else []
    for prefix, model in _UNSUPPORTED_PREFIXES:
        if _any_starts_with(tensors, prefix) and not _any_starts_with(format_names, prefix):
            raise NegjaxError(f"{where} holds {model}, which is not supported; supported are {supported_models()}")
    if format is None:
        first = ", ".join(sorted(tensors)[:3])
        raise NegjaxError(
            f"{where} holds no supported model (its tensors are {first}, ...); supported are {supported_models()}"
        )
    return format


def _any_starts_with(names: Iterable[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in names)


def table_names(tensors: Mapping[str, LazyTensor], format: WeightFormat) -> dict[str, LazyTensor]:
    """The tensors of the model under the names of the format's table, without the format's optional prefix."""
    return {
        name.removeprefix(format.optional_prefix): tensor
        for name, tensor in tensors.items()
        if not name.startswith(format.left_out)
    }


def fitting_presets(tensors: Mapping[str, LazyTensor], format: WeightFormat) -> list[CLIPConfig]:
    """The presets that fit the shapes, with any activation.

    Of presets that differ only in image size, those of the size of the file's position embeddings.
    """

    def shape(path: str) -> tuple[int, ...]:
        name = format.tensor_name(path)
        return tensors[name].shape if name is not None and name in tensors else ()

    text_shapes = shape("text/tokens"), shape("text/positions")
    fitting = []
    for config in PRESETS.values():
        vision, text = config.vision, config.text
        # Comparing a few shapes first, because it takes long to compare all of them for every preset.
        positions = text.max_positions if isinstance(text, TextEncoderConfig) else text.tokens
        similar = text_shapes == ((text.vocab_size, text.width), (positions, text.width) if positions else ())
        if isinstance(vision, VisionConfig):
            height, width, channels = vision.patch_shape
            similar = similar and shape("visual/patch/kernel") == (vision.width, channels, height, width)
        if similar and format in family_of(config).formats and not find_mismatches(tensors, format, config):
            fitting.append(config)
    if grid_positions := shape("visual/positions"):
        return [config for config in fitting if grid_positions[-2] == _image_positions(config)] or fitting
    return fitting


def _image_positions(config: CLIPConfig) -> int | None:
    return None if isinstance(config.vision, ConvNeXtConfig) else config.vision.positions


def find_mismatches(tensors: Mapping[str, LazyTensor], format: WeightFormat, config: CLIPConfig) -> list[str]:
    """One message for each tensor that an architecture lacks, needs, or has in another shape; none if it fits.

    Image position embeddings may be of another grid: they are resized when they are read.
    """
    return compare_with_table(tensors, format, abstract_params(config))


def compare_with_table(tensors: Mapping[str, LazyTensor], format: WeightFormat, params: Params) -> list[str]:
    """As `find_mismatches`, for any tree of the parameters' shapes."""
    shapes = {path: leaf.shape for path, leaf in flatten_params(params).items()}
    wanted = sum(map(math.prod, shapes.values()))
    present = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if wanted > _MAX_SIZE_RATIO * present:  # comparing all shapes could take more memory than there is
        largest = max(shapes, key=lambda path: math.prod(shapes[path]))
        return [
            f"the architecture has {wanted:,} parameters (its {largest} is {list(shapes[largest])}), the file "
            f"{present:,} numbers"
        ]
    messages, expected_names = [], set()
    try:
        for entry in parameter_entries(format, params):
            for name, expected in zip(entry.names, entry.tensor_shapes()):
                expected_names.add(name)
                shape = tensors[name].shape if name in tensors else None
                if shape is None:
                    messages.append(f"{name} is missing")
                elif shape != expected and not _is_convertible(entry.path, shape, expected):
                    messages.append(f"{name} is {list(shape)} instead of {list(expected)}")
    except KeyError as error:
        return [f"the architecture has {error.args[0]}, which such files do not hold"]
    unknown = [name for name in tensors if name not in expected_names and not _BUFFER.search(name)]
    return messages + [f"{name} is unknown" for name in unknown]


def unknown_names(tensors: Mapping[str, LazyTensor], format: WeightFormat) -> list[str]:
    """The tensors that no architecture of the format has."""
    names = (re.escape(name).replace(r"\{i\}", r"\d+") for row in format.rows for name in row.names)
    known = re.compile("|".join(names))
    return [name for name in tensors if not known.fullmatch(name) and not _BUFFER.search(name)]


def _is_convertible(path: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape can be read: positions of another grid, more queries than used, scalars as [1]."""
    if path in ("visual/positions", "visual/pool/query"):
        return len(shape) == len(expected) and shape[-1] == expected[-1]
    return path in ("logit_scale", "logit_bias") and math.prod(shape) == 1
