"""Which of our parameters is which tensor of a PyTorch model: one table for each source, read in both directions.

A row is (our path, PyTorch's name or names, layout); "{i}" stands for the number of a block. Rows of parameters that an
architecture does not have are left out by `entries`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import jax

from negjax.models.architecture import CLIPConfig
from negjax.models.clip import abstract_params
from negjax.weights.layouts import BATCHED, CONV, LINEAR, ONE, Q_KV, QKV, QKV_APART, QUERY, SAME, SCALAR, Layout

WeightFormat = Literal["open_clip", "open_clip_siglip", "hf_clip", "hf_siglip"]
TableRow = tuple[str, str | tuple[str, ...], Layout]


@dataclass(frozen=True)
class Entry:
    """One of our parameters: its path, its shape, and the tensors that it is made of."""

    path: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    layout: Layout


def _norm(ours: str, theirs: str) -> list[TableRow]:
    return [(f"{ours}/scale", f"{theirs}.weight", SAME), (f"{ours}/bias", f"{theirs}.bias", SAME)]


def _linear(ours: str, theirs: str) -> list[TableRow]:
    return [(f"{ours}/kernel", f"{theirs}.weight", LINEAR), (f"{ours}/bias", f"{theirs}.bias", SAME)]


def _pair(ours: str, theirs: str | tuple[str, ...], layout: Layout, joint: str = ".") -> list[TableRow]:
    """Kernel and bias of one layout, from tensors called "THEIRS.weight" and "THEIRS.bias" (or with another joint)."""
    names = (theirs,) if isinstance(theirs, str) else theirs
    return [
        (f"{ours}/{which}", tuple(f"{name}{joint}{suffix}" for name in names), layout)
        for which, suffix in (("kernel", "weight"), ("bias", "bias"))
    ]


def _open_clip_blocks(ours: str, theirs: str) -> list[TableRow]:
    ours, theirs = f"{ours}/transformer/blocks/{{i}}", f"{theirs}transformer.resblocks.{{i}}"
    return [
        *_norm(f"{ours}/norm1", f"{theirs}.ln_1"),
        *_pair(f"{ours}/attention/qkv", f"{theirs}.attn.in_proj", QKV, "_"),
        *_linear(f"{ours}/attention/out", f"{theirs}.attn.out_proj"),
        *_norm(f"{ours}/norm2", f"{theirs}.ln_2"),
        *_linear(f"{ours}/up", f"{theirs}.mlp.c_fc"),
        *_linear(f"{ours}/down", f"{theirs}.mlp.c_proj"),
    ]


def _open_clip_text(prefix: str) -> list[TableRow]:
    return [
        ("text/tokens", f"{prefix}token_embedding.weight", SAME),
        ("text/positions", f"{prefix}positional_embedding", SAME),
        *_open_clip_blocks("text", prefix),
        *_norm("text/norm_final", f"{prefix}ln_final"),
    ]


def _hf_tower(ours: str, theirs: str, norm_final: str, norm_theirs: str) -> list[TableRow]:
    block, layer = f"{ours}/transformer/blocks/{{i}}", f"{theirs}.encoder.layers.{{i}}"
    apart = tuple(f"{layer}.self_attn.{which}_proj" for which in "qkv")
    return [
        (f"{ours}/positions", f"{theirs}.embeddings.position_embedding.weight", SAME),
        *_norm(f"{block}/norm1", f"{layer}.layer_norm1"),
        *_pair(f"{block}/attention/qkv", apart, QKV_APART),
        *_linear(f"{block}/attention/out", f"{layer}.self_attn.out_proj"),
        *_norm(f"{block}/norm2", f"{layer}.layer_norm2"),
        *_linear(f"{block}/up", f"{layer}.mlp.fc1"),
        *_linear(f"{block}/down", f"{layer}.mlp.fc2"),
        *_norm(norm_final, norm_theirs),
    ]


_HF_TOWERS = [
    ("visual/patch/kernel", "vision_model.embeddings.patch_embedding.weight", CONV),
    *_hf_tower("visual", "vision_model", "visual/norm_post", "vision_model.post_layernorm"),
    ("text/tokens", "text_model.embeddings.token_embedding.weight", SAME),
    *_hf_tower("text", "text_model", "text/norm_final", "text_model.final_layer_norm"),
]
_TIMM_BLOCK, _OUR_BLOCK = "visual.trunk.blocks.{i}", "visual/transformer/blocks/{i}"

TABLES: dict[WeightFormat, list[TableRow]] = {
    "open_clip": [
        ("visual/patch/kernel", "visual.conv1.weight", CONV),
        ("visual/class_token", "visual.class_embedding", SAME),
        ("visual/positions", "visual.positional_embedding", SAME),
        *_norm("visual/norm_pre", "visual.ln_pre"),
        *_open_clip_blocks("visual", "visual."),
        *_norm("visual/norm_post", "visual.ln_post"),
        ("visual/projection/kernel", "visual.proj", SAME),
        *_open_clip_text(""),
        ("text/projection/kernel", "text_projection", SAME),
        ("logit_scale", "logit_scale", SCALAR),
        ("logit_bias", "logit_bias", SCALAR),
    ],
    "open_clip_siglip": [
        ("visual/patch/kernel", "visual.trunk.patch_embed.proj.weight", CONV),
        ("visual/patch/bias", "visual.trunk.patch_embed.proj.bias", SAME),
        ("visual/positions", "visual.trunk.pos_embed", BATCHED),
        *_norm(f"{_OUR_BLOCK}/norm1", f"{_TIMM_BLOCK}.norm1"),
        *_pair(f"{_OUR_BLOCK}/attention/qkv", f"{_TIMM_BLOCK}.attn.qkv", QKV),
        *_linear(f"{_OUR_BLOCK}/attention/out", f"{_TIMM_BLOCK}.attn.proj"),
        *_norm(f"{_OUR_BLOCK}/norm2", f"{_TIMM_BLOCK}.norm2"),
        *_linear(f"{_OUR_BLOCK}/up", f"{_TIMM_BLOCK}.mlp.fc1"),
        *_linear(f"{_OUR_BLOCK}/down", f"{_TIMM_BLOCK}.mlp.fc2"),
        *_norm("visual/norm_post", "visual.trunk.norm"),
        ("visual/pool/query", "visual.trunk.attn_pool.latent", QUERY),
        *_pair("visual/pool/qkv", ("visual.trunk.attn_pool.q", "visual.trunk.attn_pool.kv"), Q_KV),
        *_linear("visual/pool/out", "visual.trunk.attn_pool.proj"),
        *_norm("visual/pool/norm", "visual.trunk.attn_pool.norm"),
        *_linear("visual/pool/up", "visual.trunk.attn_pool.mlp.fc1"),
        *_linear("visual/pool/down", "visual.trunk.attn_pool.mlp.fc2"),
        *_open_clip_text("text."),
        *_linear("text/projection", "text.text_projection"),
        ("logit_scale", "logit_scale", SCALAR),
        ("logit_bias", "logit_bias", SCALAR),
    ],
    "hf_clip": [
        *_HF_TOWERS,
        ("visual/class_token", "vision_model.embeddings.class_embedding", SAME),
        *_norm("visual/norm_pre", "vision_model.pre_layrnorm"),  # so misspelt in transformers
        ("visual/projection/kernel", "visual_projection.weight", LINEAR),
        ("text/projection/kernel", "text_projection.weight", LINEAR),
        ("logit_scale", "logit_scale", SCALAR),
    ],
    "hf_siglip": [
        *_HF_TOWERS,
        ("visual/patch/bias", "vision_model.embeddings.patch_embedding.bias", SAME),
        ("visual/pool/query", "vision_model.head.probe", QUERY),
        *_pair("visual/pool/qkv", "vision_model.head.attention.in_proj", QKV, "_"),
        *_linear("visual/pool/out", "vision_model.head.attention.out_proj"),
        *_norm("visual/pool/norm", "vision_model.head.layernorm"),
        *_linear("visual/pool/up", "vision_model.head.mlp.fc1"),
        *_linear("visual/pool/down", "vision_model.head.mlp.fc2"),
        *_linear("text/projection", "text_model.head"),
        ("logit_scale", "logit_scale", ONE),
        ("logit_bias", "logit_bias", ONE),
    ],
}


def entries(source: WeightFormat, config: CLIPConfig) -> Iterator[Entry]:
    """One entry for each parameter of the architecture. Raises KeyError for one that the source's table lacks."""
    shapes = {
        "/".join(key.key for key in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(abstract_params(config))
    }
    rows = {path: (theirs, layout) for path, theirs, layout in TABLES[source]}
    for path, shape in shapes.items():
        block = next((part for part in path.split("/") if part.isdecimal()), "")
        theirs, layout = rows[path.replace(f"/{block}/", "/{i}/") if block else path]
        names = (theirs,) if isinstance(theirs, str) else theirs
        yield Entry(path, shape, tuple(name.replace("{i}", block) for name in names), layout)
