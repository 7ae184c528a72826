"""The operations of a training step, counted from the shapes of its batch."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from negjax.config import Source
from negjax.models.architecture import CLIPConfig
from negjax.models.flops import image_flops, text_flops
from negjax.models.text_adapters import unadapted
from negjax.objectives.inputs import INPUTS
from negjax.training.encode import TOWERS, encoder_inputs, teacher_inputs
from negjax.training.text_packing import PACKED

Lengths = Mapping[tuple[str, str], np.ndarray]  # (source, name of an input) -> tokens of each caption, int64 [N]


def step_flops(
    config: CLIPConfig,
    batches: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, Source],
    learns: Any,
    recomputed: int = 0,
    lengths: Lengths | None = None,
) -> float:
    """Model operations of a step on global batches, over all devices.

    A tower counts once forward and, if any of its parameters learn, twice that backward; such a tower also counts
    forward as a teacher, if an objective has one.

    Args:
        config: the architecture.
        batches: source name -> its batch, arrays or only shapes.
        sources: the settings of each.
        learns: tree of True for the parameters that learn.
        recomputed: number of extra forward passes of towers that learn, for rematerialisation or GradCache; model FLOPs
            do not include them by convention.
        lengths: of the captions without padding, which then does not count.
    """
    own = {tower: unadapted(learns)[tower] for tower in TOWERS}  # no gradient passes a tower to an adapter beside it
    learning = [tower for tower in TOWERS if any(jax.tree.leaves(own[tower]))]
    changed = [tower for tower in TOWERS if any(jax.tree.leaves(learns[tower]))]
    student = forward_flops(config, encoder_inputs(batches, sources), lengths)
    teacher = forward_flops(config, teacher_inputs(batches, sources, changed), lengths)
    return sum((3 + recomputed if tower in learning else 1) * student[tower] + teacher[tower] for tower in TOWERS)


def forward_flops(
    config: CLIPConfig, inputs: Mapping[tuple[str, str], Any], lengths: Lengths | None = None
) -> dict[str, float]:
    """Operations of a forward pass of each tower.

    Args:
        config: the architecture.
        inputs: what the towers encode, as `encoder_inputs` gives it, arrays or only shapes.
        lengths: of the captions without padding, which then does not count; may be of some of the rows. Packed texts
            need them.

    Returns:
        {"visual": operations, "text": operations}
    """
    flops = dict.fromkeys(TOWERS, 0.0)
    is_packed = any(source == PACKED for source, _ in inputs)
    for (source, name), x in inputs.items():
        if source == PACKED:
            continue
        if INPUTS[name].tower == "visual":
            flops["visual"] += x.shape[0] * image_flops(config)
        elif INPUTS[name].tower == "text":
            length_N = np.array([x.shape[-1]]) if lengths is None else lengths[source, name]
            texts = math.prod(x.shape if is_packed else x.shape[:-1])
            flops["text"] += texts * float(text_flops(config, length_N).mean())
    return flops
