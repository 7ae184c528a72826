"""Rows of format tables that families share: blocks, norms, linear layers, towers."""

from negjax.weights.families.family import TableRow
from negjax.weights.tensor_layouts import (
    BATCHED,
    CONV,
    FIRST,
    KV_APART,
    LINEAR,
    Q_KV,
    QKV,
    QKV_APART,
    QUERY,
    SAME,
    SCALAR,
    TensorLayout,
)


def row(path: str, name: str, layout: TensorLayout) -> TableRow:
    """A parameter that is one tensor."""
    return TableRow(path, (name,), layout)


def norm_rows(path: str, name: str) -> list[TableRow]:
    """Scale and bias of a layer norm."""
    return [row(f"{path}/scale", f"{name}.weight", SAME), row(f"{path}/bias", f"{name}.bias", SAME)]


def batch_norm_rows(path: str, name: str) -> list[TableRow]:
    """Scale, bias and statistics of a batch norm."""
    return [
        *norm_rows(path, name),
        row(f"{path}/mean", f"{name}.running_mean", SAME),
        row(f"{path}/variance", f"{name}.running_var", SAME),
    ]


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


def open_clip_vision_rows() -> list[TableRow]:
    """open_clip's own image tower."""
    return [
        *open_clip_patch_rows(),
        *norm_rows("visual/norm_post", "visual.ln_post"),
        row("visual/projection/kernel", "visual.proj", SAME),
    ]


def open_clip_patch_rows() -> list[TableRow]:
    """open_clip's own image tower up to its last block."""
    return [
        row("visual/patch/kernel", "visual.conv1.weight", CONV),
        row("visual/class_token", "visual.class_embedding", SAME),
        row("visual/positions", "visual.positional_embedding", SAME),
        *norm_rows("visual/norm_pre", "visual.ln_pre"),
        *open_clip_block_rows("visual", "visual."),
    ]


def timm_vision_rows() -> list[TableRow]:
    """A plain vision transformer of timm in open_clip, without what pools its tokens."""
    return [row("visual/patch/bias", "visual.trunk.patch_embed.proj.bias", SAME), *timm_unbiased_vision_rows()]


def timm_unbiased_vision_rows() -> list[TableRow]:
    """The same without a bias of the patches."""
    return [row("visual/patch/kernel", "visual.trunk.patch_embed.proj.weight", CONV), *timm_block_rows()]


def timm_block_rows() -> list[TableRow]:
    """The same without the patches: their positions, the blocks and the last norm."""
    path, name = "visual/transformer/blocks/{i}", "visual.trunk.blocks.{i}"
    return [
        *timm_common_rows(),
        *projection_rows(f"{path}/attention/qkv", (f"{name}.attn.qkv",), QKV),
        *linear_rows(f"{path}/up", f"{name}.mlp.fc1"),
    ]


def timm_common_rows() -> list[TableRow]:
    """What all vision transformers of timm have: not the patches, q, k and v, and the way into the MLP."""
    path, name = "visual/transformer/blocks/{i}", "visual.trunk.blocks.{i}"
    return [
        row("visual/positions", "visual.trunk.pos_embed", BATCHED),
        *norm_rows(f"{path}/norm1", f"{name}.norm1"),
        *linear_rows(f"{path}/attention/out", f"{name}.attn.proj"),
        *norm_rows(f"{path}/norm2", f"{name}.norm2"),
        *linear_rows(f"{path}/down", f"{name}.mlp.fc2"),
        *norm_rows("visual/norm_post", "visual.trunk.norm"),
    ]


def timm_pool_rows() -> list[TableRow]:
    """timm's attention pooling by a learned query, in open_clip."""
    return [
        row("visual/pool/query", "visual.trunk.attn_pool.latent", QUERY),
        *projection_rows("visual/pool/qkv", ("visual.trunk.attn_pool.q", "visual.trunk.attn_pool.kv"), Q_KV),
        *linear_rows("visual/pool/out", "visual.trunk.attn_pool.proj"),
        *norm_rows("visual/pool/norm", "visual.trunk.attn_pool.norm"),
        *linear_rows("visual/pool/up", "visual.trunk.attn_pool.mlp.fc1"),
        *linear_rows("visual/pool/down", "visual.trunk.attn_pool.mlp.fc2"),
    ]


def scale_rows() -> list[TableRow]:
    """The logit scale, and the logit bias of a model for SigLIP's loss, in open_clip."""
    return [row("logit_scale", "logit_scale", SCALAR), row("logit_bias", "logit_bias", SCALAR)]


def open_clip_text_rows(prefix: str) -> list[TableRow]:
    """open_clip's text tower without its projection."""
    return [
        row("text/tokens", f"{prefix}token_embedding.weight", SAME),
        row("text/positions", f"{prefix}positional_embedding", SAME),
        *open_clip_block_rows("text", prefix),
        *norm_rows("text/norm_final", f"{prefix}ln_final"),
    ]


def open_clip_pool_rows(pool: str, norm: str, projection: str) -> list[TableRow]:
    """open_clip's attentional pooling by the query that makes the embedding, with the norm and projection after it."""
    return [
        row("visual/pool/query", f"{pool}.query", FIRST),
        *norm_rows("visual/pool/norm_query", f"{pool}.ln_q"),
        *norm_rows("visual/pool/norm_tokens", f"{pool}.ln_k"),
        row("visual/pool/q/kernel", f"{pool}.attn.q_proj_weight", LINEAR),
        TableRow("visual/pool/kv/kernel", tuple(f"{pool}.attn.{x}_proj_weight" for x in "kv"), KV_APART),
        row("visual/pool/bias", f"{pool}.attn.in_proj_bias", QKV),
        *linear_rows("visual/pool/out", f"{pool}.attn.out_proj"),
        *norm_rows("visual/pool/norm", norm),
        row("visual/projection/kernel", projection, SAME),
    ]


def open_clip_encoder_head_rows() -> list[TableRow]:
    """How open_clip projects the pooled vector of an encoder of transformers: by one linear layer, or by two."""
    return [
        row("text/projection/kernel", "text.proj.weight", LINEAR),
        row("text/hidden/kernel", "text.proj.0.weight", LINEAR),
        row("text/output/kernel", "text.proj.2.weight", LINEAR),
    ]


def hf_tower_rows() -> list[TableRow]:
    """The rows that the towers of transformers' CLIPModel and SiglipModel share."""
    return [
        *hf_vision_rows(),
        row("text/tokens", "text_model.embeddings.token_embedding.weight", SAME),
        *_hf_transformer_rows("text", "text_model"),
        *norm_rows("text/norm_final", "text_model.final_layer_norm"),
    ]


def hf_vision_rows() -> list[TableRow]:
    """The rows of `hf_tower_rows` for the image tower."""
    return [
        row("visual/patch/kernel", "vision_model.embeddings.patch_embedding.weight", CONV),
        *_hf_transformer_rows("visual", "vision_model"),
        *norm_rows("visual/norm_post", "vision_model.post_layernorm"),
    ]


def hf_clip_vision_rows() -> list[TableRow]:
    """The rows of a CLIP's image tower that a SigLIP's has not."""
    return [
        row("visual/class_token", "vision_model.embeddings.class_embedding", SAME),
        *norm_rows("visual/norm_pre", "vision_model.pre_layrnorm"),  # spelled like this in transformers
        row("visual/projection/kernel", "visual_projection.weight", LINEAR),
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
