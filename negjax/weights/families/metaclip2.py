"""MetaCLIP 2 and other worldwide models: CLIPs that pool at the end token of another vocabulary; and MetaClip2Model."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from negjax.models.architecture import CLIPConfig, TextConfig
from negjax.weights.families import clip, hf_towers, open_clip_towers
from negjax.weights.families.family import HfSupport, OpenClipSupport, WeightFamily

_END_TOKEN = 49407  # of transformers' MetaClip2TextConfig


def _read_hf_config(data: Mapping[str, Any]) -> CLIPConfig:
    config = clip.read_hf_config(data)
    end_token = hf_towers.read_tower_of_old(data, "text_config", {"eos_token_id": _END_TOKEN})["eos_token_id"]
    text = dataclasses.replace(cast(TextConfig, config.text), pool="eos", end_token=end_token)
    return dataclasses.replace(config, text=text, family="metaclip2")


def _fits_hf(config: CLIPConfig) -> bool:
    text = config.text
    return isinstance(text, TextConfig) and text.causal and text.pool == "eos" and clip.fits_hf_vision(config)


def _write_hf_config(config: CLIPConfig) -> dict[str, Any]:
    data = clip.write_hf_config(config)
    text = data["text_config"] | {"eos_token_id": cast(TextConfig, config.text).end_token, "bos_token_id": 0}
    return data | {"architectures": ["MetaClip2Model"], "model_type": "metaclip_2", "text_config": text}


METACLIP2_FAMILY = WeightFamily(
    name="metaclip2",
    models="open_clip's worldwide models and transformers' MetaCLIP 2",
    open_clip=OpenClipSupport(
        format=clip.OPEN_CLIP_FORMAT,
        matches=lambda model_cfg: (
            model_cfg["text_cfg"].get("pool_type") == "eos" and not model_cfg["vision_cfg"].get("timm_model_name")
        ),
        read_vision=open_clip_towers.read_vision,
        write_vision=open_clip_towers.write_vision,
        tokenizer_kwargs=lambda name: {"clean": "canonicalize"} if name.startswith("ViT-L-14-worldwide") else {},
    ),
    hf=HfSupport(
        format=clip.HF_FORMAT,
        model_type="metaclip_2",
        read_config=_read_hf_config,
        fits=_fits_hf,
        write_config=_write_hf_config,
        image_processor="CLIPImageProcessor",
        crops=True,
    ),
)
