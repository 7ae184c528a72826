"""The table of objectives: a name, which is also a setting of a source, and the module that holds its `OBJECTIVE`.

Importing this module does not import JAX; `objective` imports the module of an objective when it is first used.
"""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from negjax.objectives.objective import Objective

# In the order in which a source's losses are added up.
OBJECTIVES = {
    "contrastive": "negjax.objectives.contrastive",
    "sigmoid": "negjax.objectives.sigmoid",
    "distill": "negjax.objectives.distill",
    "mcq": "negjax.objectives.mcq",
    "image_choice": "negjax.objectives.image_choice",
    "sigmoid_mcq": "negjax.objectives.sigmoid_mcq",
    "focal": "negjax.objectives.focal",
    "bounded": "negjax.objectives.bounded",
    "conclip": "negjax.objectives.conclip",
    "absence": "negjax.objectives.absence",
    "tng": "negjax.objectives.tng",
    "text_contrast": "negjax.objectives.text_contrast",
}


@cache
def objective(name: str) -> "Objective":
    """The objective of this name, a key of OBJECTIVES."""
    return import_module(OBJECTIVES[name]).OBJECTIVE


def grouped_objective(names: Iterable[str]) -> str | None:
    """The first of these objectives that needs a set whose rows share their options; None without one."""
    return next((name for name in names if objective(name).needs_groups), None)


def objectives_with(input_name: str) -> list[str]:
    """The names of the objectives that take this input, a key of `negjax.objectives.inputs.INPUTS`."""
    return [name for name in OBJECTIVES if input_name in (*objective(name).inputs, *objective(name).optional_inputs)]


def weight_meaning(name: str) -> str:
    """What the weight of an objective means, for the list of settings."""
    return f"weight of {objective(name).meaning}"
