"""Settings of open_clip's transformer towers in its model configs, in and out, as families share them.

Source: open_clip_torch 3.3.0, CLIPVisionCfg and CLIPTextCfg.
"""

from collections.abc import Mapping
from typing import Any, cast

from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import Activation, ImageConfig, TextConfig, VisionConfig

_IMAGE_POOL_OF_POOL_TYPE = {"tok": "token", "avg": "average"}
_POOL_TYPE = {pool: pool_type for pool_type, pool in _IMAGE_POOL_OF_POOL_TYPE.items()}
# Settings that change what a tower computes and that our towers do not have: only these values are supported.
_SUPPORTED_VALUES: dict[str, Any] = {
    "ls_init_value": None,
    "pos_embed_type": "learnable",
    "block_type": None,
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
}


def check_tower(name: str, cfg: Mapping[str, Any]) -> None:
    """Raises NegjaxError if `cfg`, called `name`, has a setting that our towers do not have."""
    for key, supported in _SUPPORTED_VALUES.items():
        if cfg.get(key, supported) != supported:
            raise NegjaxError(f"{name}.{key} is {cfg[key]!r}: only plain transformer towers are supported")


def read_vision(cfg: Mapping[str, Any], quick_gelu: bool) -> VisionConfig:
    """Reads the vision_cfg of a transformer tower. Raises NegjaxError if it is not supported."""
    width, pool_type = cfg.get("width", 768), cfg.get("pool_type", "tok")
    image_size = cfg.get("image_size", 224)
    if pool_type not in _IMAGE_POOL_OF_POOL_TYPE or not isinstance(image_size, int):
        raise NegjaxError(f"its image tower has pool_type {pool_type!r} and image_size {image_size!r}: not supported")
    crosses, eps = cfg.get("attentional_pool", False), (cfg.get("norm_kwargs") or {}).get("eps", 1e-5)
    if crosses and (crosses is not True or pool_type != "tok" or eps != 1e-5):
        raise NegjaxError(
            f"its image tower has attentional_pool {crosses!r}, pool_type {pool_type!r} and a layer-norm epsilon of "
            f"{eps:g}: of attentional pools only that of open_clip's CoCa models is supported (true, 'tok', 1e-05)"
        )
    return VisionConfig(
        image_size,
        cfg.get("patch_size", 16),
        width,
        cfg.get("layers", 12),
        width // cfg.get("head_width", 64),
        int(width * cfg.get("mlp_ratio", 4.0)),
        _read_activation(cfg, quick_gelu),
        layer_norm_eps=eps,
        norm_pre=not cfg.get("no_ln_pre", False),
        pool="cross_attention" if crosses else cast(Any, _IMAGE_POOL_OF_POOL_TYPE[pool_type]),
        norm_after_pool=crosses or bool(cfg.get("final_ln_after_pool", False)),
        pool_heads=cfg.get("attn_pooler_heads", 8),
    )


def read_text(cfg: Mapping[str, Any], quick_gelu: bool, folder: epath.Path) -> TextConfig:
    """Reads the text_cfg of a transformer tower; the folder of the config is of no account."""
    width, pool = cfg.get("width", 512), cast(Any, "class" if cfg.get("embed_cls") else cfg.get("pool_type", "argmax"))
    projection = cfg.get("proj_type", "linear") != "none"
    return TextConfig(
        cfg.get("context_length", 77),
        cfg.get("vocab_size", 49408),
        width,
        cfg.get("layers", 12),
        cfg.get("heads", 8),
        int(width * cfg.get("mlp_ratio", 4.0)),
        _read_activation(cfg, quick_gelu),
        layer_norm_eps=(cfg.get("norm_kwargs") or {}).get("eps", 1e-5),
        causal=not cfg.get("no_causal_mask", False),
        pool=pool,
        end_token=cfg.get("eos_id", 2) if pool == "eos" else 0,
        projection=projection,
        projection_bias=projection and bool(cfg.get("proj_bias", False)),
        pad_token=cfg.get("pad_id", 0) if pool == "class" else 0,
    )


def _read_activation(cfg: Mapping[str, Any], quick_gelu: bool) -> Activation:
    approximate = (cfg.get("act_kwargs") or {}).get("approximate", "none")
    return "quick_gelu" if quick_gelu else "gelu_tanh" if approximate == "tanh" else "gelu"


def write_vision(vision: ImageConfig) -> dict[str, Any]:
    """The entries of model_cfg that describe a transformer image tower."""
    assert isinstance(vision, VisionConfig)
    vision_cfg: dict[str, Any] = {
        "image_size": vision.image_size,
        "layers": vision.depth,
        "width": vision.width,
        "head_width": vision.width // vision.heads,
        "patch_size": vision.patch_size,
        "mlp_ratio": _mlp_ratio(vision),
        "no_ln_pre": not vision.norm_pre,
        **_write_variants(vision),
    }
    if vision.pool == "cross_attention":  # of CoCa's queries only the first makes the embedding
        pool: dict[str, Any] = {
            "attentional_pool": True,
            "attn_pooler_queries": 1,
            "attn_pooler_heads": vision.pool_heads,
        }
        return {"custom_text": True, "vision_cfg": vision_cfg | pool}
    pool = {"pool_type": _POOL_TYPE[vision.pool], "final_ln_after_pool": vision.norm_after_pool}
    return {"vision_cfg": vision_cfg | pool}


def write_text(text: TextConfig, folder: str) -> dict[str, Any]:
    """text_cfg, without the tokenizer; the folder to be written is of no account."""
    return {
        "context_length": text.context_length,
        "vocab_size": text.vocab_size,
        "width": text.width,
        "heads": text.heads,
        "layers": text.depth,
        "mlp_ratio": _mlp_ratio(text),
        "no_causal_mask": not text.causal,
        **({"embed_cls": True, "pad_id": text.pad_token} if text.pool == "class" else {"pool_type": text.pool}),
        "proj_type": "linear" if text.projection else "none",
        "proj_bias": text.projection_bias,
        **({"eos_id": text.end_token} if text.pool == "eos" else {}),
        **_write_variants(text),
    }


def _mlp_ratio(tower: VisionConfig | TextConfig) -> float:
    """A factor with int(width * factor) == mlp_width, as open_clip computes it."""
    ratio = tower.mlp_width / tower.width
    return ratio if int(tower.width * ratio) == tower.mlp_width else (tower.mlp_width + 0.25) / tower.width


def _write_variants(tower: VisionConfig | TextConfig) -> dict[str, Any]:
    """Settings that are written only where they differ from open_clip's defaults."""
    cfg: dict[str, Any] = {}
    if tower.activation in ("relu", "silu"):
        raise NegjaxError(f"open_clip's own towers have no {tower.activation}: use --to negjax")
    if tower.activation == "gelu_tanh":
        cfg["act_kwargs"] = {"approximate": "tanh"}
    if tower.layer_norm_eps != 1e-5:
        cfg["norm_kwargs"] = {"eps": tower.layer_norm_eps}
    return cfg
