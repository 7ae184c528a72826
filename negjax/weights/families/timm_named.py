"""Image towers that open_clip takes from timm by name, with timm's own head, in its model configs, in and out.

Source: open_clip_torch 3.3.0, TimmModel.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from negjax.errors import NegjaxError
from negjax.models.architecture import ImageConfig, VisionConfig


@dataclass(frozen=True)
class TimmTowers:
    """Towers of one kind.

    Attributes:
        kind: As errors call them, in the plural.
        towers: timm's name -> the tower at the image size of that name.
        pool: The timm_pool that open_clip's models of this kind have.
    """

    kind: str
    towers: Mapping[str, VisionConfig]
    pool: str

    def read(self, cfg: Mapping[str, Any], quick_gelu: bool) -> VisionConfig:
        """Reads a vision_cfg; the activation that model_cfg names is the text tower's alone.

        Raises:
            NegjaxError: If the tower is not one of these.
        """
        name = cfg["timm_model_name"]
        if name not in self.towers or cfg.get("timm_pool") != self.pool or cfg.get("timm_proj"):
            raise NegjaxError(
                f"its image tower is timm's {name} with timm_pool {cfg.get('timm_pool')!r} and timm_proj "
                f"{cfg.get('timm_proj')!r}; of timm's {self.kind} {', '.join(self.towers)} are supported, with "
                f"{self.pool!r} and None"
            )
        tower = self.towers[name]
        return dataclasses.replace(tower, image_size=cfg.get("image_size", tower.image_size))

    def write(self, vision: ImageConfig) -> dict[str, Any]:
        """The inverse, as the entries of model_cfg. Raises NegjaxError if timm has no such tower."""
        assert isinstance(vision, VisionConfig)
        name = next((name for name, tower in self.towers.items() if tower == vision), None)
        if name is None:
            raise NegjaxError(
                f"open_clip takes {self.kind} from timm, which has none of these sizes for images of "
                f"{vision.image_size} pixels with {vision.activation}: use --to negjax"
            )
        vision_cfg = {
            "image_size": vision.image_size,
            "timm_model_name": name,
            "timm_model_pretrained": False,
            "timm_pool": self.pool,
            "timm_proj": None,
        }
        return {"custom_text": True, "vision_cfg": vision_cfg}
