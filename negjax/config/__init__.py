"""Experiments and suites of tasks as frozen dataclasses, which `negjax.config_file` reads from a file."""

from negjax.config.adapter import LoRA, NeRo, PeakPatch
from negjax.config.experiment import Evaluation, Experiment, Logging, LossSpec, MeshSpec, ModelSpec
from negjax.config.optim import OPTIMIZERS, Optim
from negjax.config.source import Source
from negjax.config.suite import SetSource, Suite

__all__ = [
    "OPTIMIZERS",
    "Evaluation",
    "Experiment",
    "LoRA",
    "Logging",
    "LossSpec",
    "MeshSpec",
    "ModelSpec",
    "NeRo",
    "Optim",
    "PeakPatch",
    "SetSource",
    "Source",
    "Suite",
]
