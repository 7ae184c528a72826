"""The operations of a training step, counted from the shapes of its batch."""

from collections.abc import Mapping
from typing import Any

import jax

from negjax.config import Source
from negjax.models.architecture import CLIPConfig
from negjax.models.flops import forward_flops
from negjax.training.encode import encoder_inputs, teacher_inputs


def step_flops(
    config: CLIPConfig,
    batches: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, Source],
    learns: Any,
    again: int = 0,
) -> int:
    """Model operations of a step on global batches, over all devices.

    Forward and, for a tower of which anything learns, twice that backward; and for such a tower forward as a teacher,
    where a source distills. batches: arrays or only shapes. learns: tree of True for the parameters that learn. again:
    how often such a tower runs forward once more, for rematerialisation or GradCache, which by custom do not count.
    """
    learning = [tower for tower in ("visual", "text") if any(jax.tree.leaves(learns[tower]))]
    student = forward_flops(config, encoder_inputs(batches, sources))
    teacher = forward_flops(config, teacher_inputs(batches, sources, learning))
    return sum((3 + again if tower in learning else 1) * student[tower] + teacher[tower] for tower in student)
