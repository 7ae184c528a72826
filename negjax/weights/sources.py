"""Which model a file of tensors holds: by its names whose it is, by its shapes which architectures fit."""

import math
import re
from collections.abc import Mapping

import numpy as np

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.presets import PRESETS
from negjax.weights.stored import Stored
from negjax.weights.tables import TABLES, WeightFormat, entries

SUPPORTED = (
    "OpenAI's and open_clip's vision-transformer CLIPs (CLIPA and worldwide ones too) and SigLIPs, and transformers' "
    "CLIPModel and SiglipModel"
)
_BUFFER = re.compile(r"(^|\.)(attn_mask|position_ids|input_resolution|context_length|vocab_size)$")  # no weights
_TELLING: tuple[tuple[str, WeightFormat], ...] = (
    ("visual.trunk.attn_pool.latent", "open_clip_siglip"),
    ("visual.conv1.weight", "open_clip"),
    ("vision_model.head.probe", "hf_siglip"),
    ("visual_projection.weight", "hf_clip"),
)
_FOREIGN = (  # a beginning of names -> what has it
    ("visual.layer1.", "a CLIP with a ResNet"),
    ("visual.trunk.", "an open_clip model with another tower of timm's"),
    ("text_decoder.", "CoCa"),
    ("text.cls_emb", "CoCa"),
    ("text.transformer.embeddings.", "an open_clip model with a text tower of transformers'"),
    ("text_model.encoder.layer.", "Chinese-CLIP or AltCLIP"),
    ("visual.blocks.", "EVA-CLIP"),
    ("image_encoder.", "MobileCLIP"),
)


def source_of(tensors: Mapping[str, Stored], where: str) -> WeightFormat:
    """Whose names these are. Raises NegjaxError for models that are not supported, by their name where it shows."""
    names = set(tensors)
    foreign = next((what for start, what in _FOREIGN if any(name.startswith(start) for name in names)), None)
    source = next((source for telling, source in _TELLING if telling in names), None)
    if foreign and source != "open_clip_siglip":
        raise NegjaxError(f"{where} holds {foreign}, which is not supported; supported are {SUPPORTED}")
    if source is None:
        first = ", ".join(sorted(names)[:3])
        raise NegjaxError(f"{where} holds no CLIP that negjax knows (it has {first}, ...); supported are {SUPPORTED}")
    return source


def open_clip_names(tensors: Mapping[str, Stored], source: WeightFormat) -> dict[str, Stored]:
    """The tensors under the names of the source's table: a CLIP's text tower may stand below "text." or not."""
    if source != "open_clip" or "text.token_embedding.weight" not in tensors:
        return dict(tensors)
    return {name.removeprefix("text."): tensor for name, tensor in tensors.items()}


def tensor_name(source: WeightFormat, path: str) -> str:
    """What the source calls a parameter that is one tensor there."""
    return next(name for ours, name, _ in TABLES[source] if ours == path and isinstance(name, str))


def candidates(tensors: Mapping[str, Stored], source: WeightFormat) -> list[CLIPConfig]:
    """The presets that fit, whatever their activation; of one model at several image sizes those of the right size."""

    def shape(path: str) -> tuple[int, ...]:
        stored = tensors.get(tensor_name(source, path))
        return stored.shape if stored else ()

    found = shape("visual/patch/kernel"), shape("text/tokens"), shape("text/positions")
    fitting = []
    for config in PRESETS.values():
        vision, text = config.vision, config.text
        patches = vision.width, 3, vision.patch_size, vision.patch_size
        same = found == (patches, (text.vocab_size, text.width), (text.context_length, text.width))
        if same and ("siglip" in source) == (vision.pool == "attention") and not mismatches(tensors, source, config):
            fitting.append(config)
    positions = shape("visual/positions")
    return [config for config in fitting if config.vision.tokens == positions[-2]] or fitting


def mismatches(tensors: Mapping[str, Stored], source: WeightFormat, config: CLIPConfig) -> list[str]:
    """What of an architecture is missing, has another shape, or is too much. Image positions may be of another size."""
    found, expected = [], set()
    try:
        for entry in entries(source, config):
            dummies = entry.layout.write(np.broadcast_to(np.float32(0), entry.shape))
            for name, dummy in zip(entry.names, dummies):
                expected.add(name)
                shape = tensors[name].shape if name in tensors else None
                if shape is None:
                    found.append(f"{name} is missing")
                elif shape != dummy.shape and not _may_differ(entry.path, shape, dummy.shape):
                    found.append(f"{name} is {list(shape)} instead of {list(dummy.shape)}")
    except KeyError as error:
        return [f"the architecture has {error.args[0]}, which such files do not hold"]
    return found + [f"{name} is unknown" for name in tensors if name not in expected and not _BUFFER.search(name)]


def _may_differ(path: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if path == "visual/positions":
        return len(shape) == len(wanted) and shape[-1] == wanted[-1]
    return path in ("logit_scale", "logit_bias") and math.prod(shape) == 1


def openai_config(tensors: Mapping[str, Stored]) -> CLIPConfig:
    """The architecture of an archive of OpenAI's, whose heads are all 64 wide and whose activation is QuickGELU."""
    width, _, patch, _ = tensors["visual.conv1.weight"].shape
    grid = math.isqrt(tensors["visual.positional_embedding"].shape[0] - 1)
    vocab, text_width = tensors["token_embedding.weight"].shape

    def tower(width: int, blocks: str) -> tuple[int, int, int, int]:
        depth = len({name.removeprefix(blocks).split(".")[0] for name in tensors if name.startswith(blocks)})
        return width, depth, width // 64, tensors[f"{blocks}0.mlp.c_fc.weight"].shape[0]

    return CLIPConfig(
        "custom",
        tensors["text_projection"].shape[1],
        VisionConfig(grid * patch, patch, *tower(width, "visual.transformer.resblocks."), "quick_gelu"),
        TextConfig(
            tensors["positional_embedding"].shape[0], vocab, *tower(text_width, "transformer.resblocks."), "quick_gelu"
        ),
    )
