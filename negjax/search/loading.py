"""How the model of an index is loaded again."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negjax.models.loaded import LoadedModel


def load_settings(path: str, model: LoadedModel, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `negjax.weights.read.read_model` that load the same model again, from any folder.

    Args:
        path: of the model, or its name to download, as the user gave it.
        model: what was loaded.
        settings: the other arguments it was loaded with.
    """
    local = Path(path.rpartition("#")[0] if "#" in path and not Path(path).exists() else path).exists()
    step = model.info.get("step", settings["step"])  # the step that "latest" or "best" means now
    return {**settings, "path": os.path.abspath(path) if local else path, "step": step}  # noqa: PTH100, keeps #PART
