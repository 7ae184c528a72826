"""A model from a PyTorch weights file, or from a Hugging Face or open_clip folder; PyTorch itself is not needed."""

import hashlib
import logging
import math
from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel, usual_preprocess
from negjax.runtime.progress import no_progress
from negjax.tokenizers import AnyTokenizer
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf_folder import read_tokenizer
from negjax.weights.described import Description, describe
from negjax.weights.sources import mismatches, open_clip_names, source_of
from negjax.weights.stored import Stored
from negjax.weights.tables import WeightFormat, entries
from negjax.weights.tensors import open_tensors

MOST_NAMED = 10
IN_FOLDERS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
HALF = ("float16", "bfloat16")
TYPES = (*HALF, "float32", "float64")

logger = logging.getLogger(__name__)


def read_pytorch(
    path: epath.PathLike, arch: str = "", activation: str = "", done: Callable[[int], None] = no_progress
) -> LoadedModel:
    """The model of a weights file, or of a folder that holds one.

    arch: a preset's name or an open_clip config file, for what does not say what it is; of another image size, position
    embeddings are resized to it. activation: compute with this one, whatever the file says. done: told of each
    parameter that is read.
    Raises NegjaxError when the file is damaged or holds another model, when its activation is not known, a weight is
    not finite, or a tokenizer is missing.
    """
    file = weights_file(epath.Path(path))
    opened = open_tensors(file)
    source = source_of(opened.tensors, str(file))
    tensors = open_clip_names(opened.tensors, source)
    described = describe(opened, tensors, file, source, arch, activation)
    config = described.config
    if wrong := mismatches(tensors, source, config):
        more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise NegjaxError(f"{file} does not hold the model {config.name}: {'; '.join(wrong[:MOST_NAMED])}{more}")
    tokenizer = _tokenizer(described, file.parent)
    params, types = read_params(tensors, source, config, str(file), done)
    sha256 = _sha256(opened.files)
    info = {"arch": config.name, "activation": config.activation, "source": str(path), "sha256": sha256}
    if config.activation != described.recorded:
        info["activation_of_weights"] = described.recorded or "unknown"
    return LoadedModel(
        config,
        params,
        described.preprocess or usual_preprocess(config),
        tokenizer,
        info,
        origin={"file": file.name, "sha256": sha256, "format": source, "activation": described.recorded or "unknown"},
        stored={"types": types, "scale_shape": list(tensors["logit_scale"].shape)},
    )


def weights_file(place: epath.Path) -> epath.Path:
    """The file itself, or the weights of a folder. Raises NegjaxError for a folder without any."""
    if not place.is_dir():
        return place
    found = next((place / name for name in IN_FOLDERS if (place / name).exists()), None)
    if found is None:
        raise NegjaxError(f"{place} holds neither checkpoints of negjax nor weights ({', '.join(IN_FOLDERS)})")
    return found


def _tokenizer(described: Description, folder: epath.Path) -> AnyTokenizer:
    text, kwargs = described.config.text, described.tokenizer
    if text.vocab_size == VOCAB_SIZE and text.pool == "argmax":
        return Tokenizer(text.context_length)
    if kwargs is None:
        return read_tokenizer(folder, text.context_length)
    clean, strip = kwargs.get("clean", "whitespace"), bool(kwargs.get("strip_sep_token"))
    return read_tokenizer(folder, text.context_length, clean=clean, strip_sep=strip)


def read_params(
    tensors: Mapping[str, Stored],
    source: WeightFormat,
    config: CLIPConfig,
    where: str,
    done: Callable[[int], None] = no_progress,
) -> tuple[Params, dict[str, str]]:
    """The parameters in float32, and by path the types of those that are stored in half precision."""
    params: Params = {}
    types = {}
    for entry in entries(source, config):
        parts = [tensors[name].load() for name in entry.names]
        for name, part in zip(entry.names, parts):
            if part.dtype.name not in TYPES:
                raise NegjaxError(f"{where}: {name} is of type {part.dtype.name}: weights are {', '.join(TYPES)}")
        kinds = {part.dtype.name for part in parts}
        if len(kinds) == 1 and (kind := kinds.pop()) in HALF:
            types[entry.path] = kind
        value = np.asarray(entry.layout.read(parts), np.float32, order="C")
        if not np.isfinite(value).all():
            raise NegjaxError(f"{where}: {entry.names[0]} holds numbers that are not finite: the file is no good")
        if value.shape != entry.shape:
            value = resize_positions(value, config)
            logger.info("position embeddings resized to %d x %d patches", config.vision.grid, config.vision.grid)
        *groups, last = entry.path.split("/")
        place = params
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
        done(1)
    return params, types


def resize_positions(position_TD: np.ndarray, config: CLIPConfig) -> np.ndarray:
    """Image position embeddings of another grid, at the size of the architecture's: bicubic, antialiased.

    The class token's stays as it is. Source: open_clip, resize_pos_embed.
    """
    extra, grid = int(config.vision.class_token), config.vision.grid
    old = math.isqrt(len(position_TD) - extra)
    if old * old != len(position_TD) - extra:
        raise NegjaxError(f"the {len(position_TD)} position embeddings of the image tower are no square grid")
    square = position_TD[extra:].reshape(old, old, -1)
    resized = jax.image.resize(square, (grid, grid, square.shape[-1]), "cubic", antialias=True)
    return np.concatenate([position_TD[:extra], np.asarray(resized).reshape(grid * grid, -1)])


def _sha256(files: Iterable[epath.Path]) -> str:
    """Of the file; of several, of one after another."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while block := opened.read(1 << 22):
                total.update(block)
    return total.hexdigest()
