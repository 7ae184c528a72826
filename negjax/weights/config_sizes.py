"""Which sizes of a config are not those of the weights: errors name the config's key, not only the tensors."""

from collections.abc import Mapping

import numpy as np

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.weights.families.family import TableRow, WeightFormat
from negjax.weights.lazy_tensor import LazyTensor

_SIZES = (  # open_clip's key, transformers' key, field, parameter and its axis of this size
    ("embed_dim", "projection_dim", "embed_dim", "visual/projection/kernel", -1),
    ("embed_dim", "projection_dim", "embed_dim", "text/projection/kernel", -1),
    ("vision_cfg.width", "vision_config.hidden_size", "width", "visual/patch/kernel", 3),
    ("vision_cfg.patch_size", "vision_config.patch_size", "patch_size", "visual/patch/kernel", 0),
    ("text_cfg.width", "text_config.hidden_size", "width", "text/tokens", 1),
    ("text_cfg.vocab_size", "text_config.vocab_size", "vocab_size", "text/tokens", 0),
    ("text_cfg.context_length", "text_config.max_position_embeddings", "tokens", "text/positions", 0),
)
_DEPTHS = (  # likewise, of which block 0, 1, ... has one
    ("vision_cfg.layers", "vision_config.num_hidden_layers", "visual/transformer/blocks/{i}/norm1/scale"),
    ("text_cfg.layers", "text_config.num_hidden_layers", "text/transformer/blocks/{i}/norm1/scale"),
)


def find_wrong_sizes(
    tensors: Mapping[str, LazyTensor], format: WeightFormat, config: CLIPConfig, source: str
) -> list[str]:
    """One message for each key of a config whose size the weights do not have.

    Sizes of towers that the config gives by name only (timm's, transformers' encoders) are left out.

    Args:
        tensors: The tensors under the names of the format's table.
        format: Their format.
        config: The architecture that the config says.
        source: The config, as messages name it.
    """
    rows = {row.path: row for row in format.rows}
    column = 1 if format.name.startswith("hf_") else 0
    messages: dict[str, str] = {}
    for *keys, field, path, axis in _SIZES:
        row = rows.get(path)
        part = config if field == "embed_dim" else _tower(config, row)
        if row is None or part is None or row.names[0] not in tensors:
            continue
        name, size = row.names[0], getattr(part, field)
        if _size(tensors[name], row, axis) not in (size, None):
            key = keys[column]
            messages.setdefault(key, f"{key} of {source} means {size}, but {name} is {list(tensors[name].shape)}")
    for *keys, path in _DEPTHS:
        row = rows.get(path)
        tower = _tower(config, row)
        if row is None or tower is None:
            continue
        begin, _, end = row.names[0].partition("{i}")
        depth = sum(name.startswith(begin) and name.endswith(end) for name in tensors)
        if depth != tower.depth:
            messages[keys[column]] = f"{keys[column]} of {source} is {tower.depth}, but the number of blocks is {depth}"
    return list(messages.values())


def _tower(config: CLIPConfig, row: TableRow | None) -> VisionConfig | TextConfig | None:
    """The tower that has a parameter, if a config gives its sizes."""
    if row is None or row.names[0].startswith("visual.trunk."):
        return None
    tower = config.vision if row.path.startswith("visual/") else config.text
    return tower if isinstance(tower, VisionConfig | TextConfig) else None


def _size(tensor: LazyTensor, row: TableRow, axis: int) -> int | None:
    """The size of the parameter along an axis, None for a tensor with other axes."""
    try:
        return row.layout.read([np.broadcast_to(np.int8(0), tensor.shape)]).shape[axis]
    except (ValueError, IndexError):
        return None
