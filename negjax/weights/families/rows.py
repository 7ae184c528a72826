"""Rows of format tables that families share: blocks, norms, linear layers, towers."""

from negjax.weights.families.family import TableRow
from negjax.weights.tensor_layouts import CONV, LINEAR, QKV, QKV_APART, SAME, TensorLayout


def row(path: str, name: str, layout: TensorLayout) -> TableRow:
    """A parameter that is one tensor."""
    return TableRow(path, (name,), layout)


def norm_rows(path: str, name: str) -> list[TableRow]:
    """Scale and bias of a layer norm."""
    return [row(f"{path}/scale", f"{name}.weight", SAME), row(f"{path}/bias", f"{name}.bias", SAME)]


def linear_rows(path: str, name: str) -> list[TableRow]:
    """Kernel and bias of a linear layer."""
    return [row(f"{path}/kernel", f"{name}.weight", LINEAR), row(f"{path}/bias", f"{name}.bias", SAME)]


def projection_rows(path: str, names: tuple[str, ...], layout: TensorLayout, separator: str = ".") -> list[TableRow]:
    """Kernel and bias of the query, key and value projections.

    Args:
        path: Our path of the layer.
        names: The modules that hold the projections.
        layout: How their tensors become one, for kernel and bias alike.
        separator: Between a module's name and "weight" or "bias".
    """
    return [
        TableRow(f"{path}/{leaf}", tuple(f"{name}{separator}{suffix}" for name in names), layout)
        for leaf, suffix in (("kernel", "weight"), ("bias", "bias"))
    ]


def open_clip_block_rows(tower: str, prefix: str) -> list[TableRow]:
    """The blocks of an open_clip transformer ("visual" or "text") whose modules start with `prefix`."""
    path, name = f"{tower}/transformer/blocks/{{i}}", f"{prefix}transformer.resblocks.{{i}}"
    return [
        *norm_rows(f"{path}/norm1", f"{name}.ln_1"),
        *projection_rows(f"{path}/attention/qkv", (f"{name}.attn.in_proj",), QKV, "_"),
        *linear_rows(f"{path}/attention/out", f"{name}.attn.out_proj"),
        *norm_rows(f"{path}/norm2", f"{name}.ln_2"),
        *linear_rows(f"{path}/up", f"{name}.mlp.c_fc"),
        *linear_rows(f"{path}/down", f"{name}.mlp.c_proj"),
    ]


def open_clip_text_rows(prefix: str) -> list[TableRow]:
    """open_clip's text tower without its projection."""
    return [
        row("text/tokens", f"{prefix}token_embedding.weight", SAME),
        row("text/positions", f"{prefix}positional_embedding", SAME),
        *open_clip_block_rows("text", prefix),
        *norm_rows("text/norm_final", f"{prefix}ln_final"),
    ]


def hf_tower_rows() -> list[TableRow]:
    """The rows that the towers of transformers' CLIPModel and SiglipModel share."""
    return [
        row("visual/patch/kernel", "vision_model.embeddings.patch_embedding.weight", CONV),
        *_hf_transformer_rows("visual", "vision_model"),
        *norm_rows("visual/norm_post", "vision_model.post_layernorm"),
        row("text/tokens", "text_model.embeddings.token_embedding.weight", SAME),
        *_hf_transformer_rows("text", "text_model"),
        *norm_rows("text/norm_final", "text_model.final_layer_norm"),
    ]


def _hf_transformer_rows(tower: str, module: str) -> list[TableRow]:
    path, name = f"{tower}/transformer/blocks/{{i}}", f"{module}.encoder.layers.{{i}}"
    projections = tuple(f"{name}.self_attn.{letter}_proj" for letter in "qkv")
    return [
        row(f"{tower}/positions", f"{module}.embeddings.position_embedding.weight", SAME),
        *norm_rows(f"{path}/norm1", f"{name}.layer_norm1"),
        *projection_rows(f"{path}/attention/qkv", projections, QKV_APART),
        *linear_rows(f"{path}/attention/out", f"{name}.self_attn.out_proj"),
        *norm_rows(f"{path}/norm2", f"{name}.layer_norm2"),
        *linear_rows(f"{path}/up", f"{name}.mlp.fc1"),
        *linear_rows(f"{path}/down", f"{name}.mlp.fc2"),
    ]
