"""CLIPA (Li et al. 2023): open_clip's towers with the patches averaged; other libraries do not have it."""

from negjax.weights.families import open_clip_towers
from negjax.weights.families.clip import OPEN_CLIP_FORMAT
from negjax.weights.families.family import OpenClipSupport, WeightFamily

CLIPA_FAMILY = WeightFamily(
    name="clipa",
    models="open_clip's CLIPAs",
    open_clip=OpenClipSupport(
        format=OPEN_CLIP_FORMAT,
        matches=lambda model_cfg: model_cfg["vision_cfg"].get("pool_type") == "avg",
        read_vision=open_clip_towers.read_vision,
        write_vision=open_clip_towers.write_vision,
        tokenizer_kwargs=lambda name: {"strip_sep_token": True},
    ),
)
