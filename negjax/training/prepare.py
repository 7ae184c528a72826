"""Prepares a training run: devices, open sets, the rows of this process, the model and the program."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jax.sharding import Mesh

from negjax.config import Experiment, Source
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.input.checks import check_trainable, group_size
from negjax.models.clip import Params, fingerprint
from negjax.models.loaded import LoadedModel, to_meta
from negjax.models.text_adapters import check_unadapted
from negjax.runtime.mesh import local_row_indices, make_mesh
from negjax.runtime.sharding import device_put_tree
from negjax.tokenizers.routed import RoutedTokenizer
from negjax.training.program import Program, adapter_of, make_program


@dataclass(frozen=True)
class OpenSource:
    """A source of examples with its set.

    Attributes:
        settings: batch size, objectives and how images are changed.
        data: the stored set.
        local_b: which rows of each global batch this process loads.
        seed: decides the order of its rows and their draws.
    """

    settings: Source
    data: StoredSet
    local_b: np.ndarray
    seed: int


@dataclass(frozen=True)
class PreparedData:
    """Devices and data of an experiment.

    Attributes:
        mesh: all devices of all processes.
        sources: name -> the source, opened and checked.
    """

    mesh: Mesh
    sources: Mapping[str, OpenSource]

    @property
    def threads(self) -> int:
        """Threads that read each source."""
        return max(1, (os.cpu_count() or 1) // len(self.sources))


@dataclass(frozen=True)
class PreparedRun:
    """A training run that only lacks a workdir.

    Attributes:
        experiment: the settings.
        data: devices and data.
        model: the model to start from; without its parameters after `release_start`.
        program: the compiled step, and the form of its state.
        reload: gives the parameters of the start once more; None if they are to be kept.
    """

    experiment: Experiment
    data: PreparedData
    model: LoadedModel
    program: Program
    reload: Callable[[], Params] | None = None

    @property
    def mesh(self) -> Mesh:
        """All devices of all processes."""
        return self.data.mesh

    def initial_params(self) -> Params:
        """The parameters of the start on the devices, in new arrays."""
        is_released = self.model.params is self.program.start
        params = self.reload() if is_released and self.reload else self.model.params
        return device_put_tree(params, self.program.start_shardings)

    def release_start(self) -> None:
        """Frees the host's copy of the start's parameters, if they can be read again."""
        if self.reload:
            self.model.params = self.program.start

    def with_trained(self, trained: Params, start: Params | None, **changes: Any) -> LoadedModel:
        """The model with trained parameters, or with a trained adapter folded into those of the start."""
        return replace(self.model, params=self.program.model_params(trained, start), **changes)

    def checkpoint_meta(self) -> dict[str, Any]:
        """The metadata of each checkpoint: model, settings, and hashes of the weights and data."""
        return (
            to_meta(self.model)
            | self._adapter_meta
            | {
                "config": self.experiment.to_dict(),
                "start": self.model.info.get("sha256", ""),
                "data": {name: source.data.fingerprint for name, source in self.data.sources.items()},
            }
        )

    @cached_property
    def _adapter_meta(self) -> dict[str, Any]:
        """The adapter's settings, and the weights that it belongs to by name and hash; empty without one."""
        adapter, name = adapter_of(self.experiment), self.experiment.model.init_from
        if adapter is None:
            return {}
        return adapter.to_meta() | {"base": {"name": name, "sha256": fingerprint(self.model.params)}}


def prepare_data(experiment: Experiment) -> PreparedData:
    """Arranges the devices and opens the set of each source.

    Raises:
        NegjaxError: the devices, a set or a batch size do not suit the experiment.
    """
    mesh = make_mesh(fsdp=experiment.mesh.fsdp, tensor=experiment.mesh.tensor)
    sources = {}
    for number, (name, source) in enumerate(experiment.sources.items()):
        data = open_set(experiment.data_dir, source.dataset)
        check_trainable(data, source)
        setting, parts = f"config.sources.{name}.batch_size", experiment.loss.micro_batches
        local_b = local_row_indices(mesh, source.batch_size, setting, group_size(data), parts)
        sources[name] = OpenSource(source, data, local_b, seed=experiment.seed * 1000 + number)
    return PreparedData(mesh, sources)


def prepare_run(
    experiment: Experiment,
    model: LoadedModel,
    data: PreparedData | None = None,
    reload: Callable[[], Params] | None = None,
) -> PreparedRun:
    """Prepares a run; no array is put on a device, and nothing is compiled yet.

    Args:
        experiment: the settings.
        model: the model to start from.
        data: devices and data, if they are prepared already.
        reload: gives the model's parameters once more, so that the run need not keep them beside its state.

    Raises:
        NegjaxError: as `prepare_data`, or settings of the optimizer do not suit the model.
    """
    data = prepare_data(experiment) if data is None else data
    check_unadapted(model, "what a run starts from")
    model = replace(model, stored={})  # the types of the start's file are not those of what is trained
    program, adapter = make_program(experiment, model, data.mesh), adapter_of(experiment)
    if adapter and adapter.kind.reads_denials:
        model = replace(model, tokenizer=RoutedTokenizer(model.tokenizer))
    return PreparedRun(experiment, data, model, program, reload)
