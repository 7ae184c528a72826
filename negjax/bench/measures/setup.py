"""What the measures share: an experiment of the asked size, its model, and the figures of the devices."""

from collections.abc import Mapping

import jax

from negjax.bench.settings import BenchSettings
from negjax.config import Experiment, MeshSpec, ModelSpec, Optim, Source
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.evaluation.embed.encode import model_on_devices
from negjax.experiment import initial_model
from negjax.models.loaded import LoadedModel
from negjax.runtime.chips import peak_flops
from negjax.runtime.memory import device_peak_bytes, host_peak_bytes
from negjax.training.prepare import PreparedRun, prepare_run

STEPS = 1_000_000  # more than are ever taken
# As in the loops of PyTorch that are compared: a constant rate, and no clipping.
OPTIM = Optim(learning_rate=1e-5, schedule="constant", clip_norm=0)


def bench_experiment(settings: BenchSettings, sources: Mapping[str, Source]) -> Experiment:
    """The experiment that trains a fresh model on these sources."""
    return Experiment(
        model=ModelSpec(arch=settings.arch, dtype=settings.dtype),
        sources=dict(sources),
        data_dir=settings.data_dir,
        steps=STEPS,
        optim=OPTIM,
        mesh=MeshSpec(settings.fsdp, settings.tensor),
        seed=settings.seed,
    )


def bench_run(settings: BenchSettings, sources: Mapping[str, Source]) -> PreparedRun:
    """The run of `bench_experiment`, prepared as `negjax train` does."""
    experiment = bench_experiment(settings, sources)
    return prepare_run(experiment, initial_model(experiment), reload=lambda: initial_model(experiment).params)


def bench_model(settings: BenchSettings) -> LoadedModel:
    """The fresh model on all devices, as `negjax eval` has it."""
    source = Source(settings.train_set, settings.batch, contrastive=1.0)
    return model_on_devices(initial_model(bench_experiment(settings, {"train": source})))


def open_tasks(settings: BenchSettings) -> list[StoredSet]:
    """The sets that are evaluated."""
    return [open_set(settings.data_dir, name) for name in settings.tasks]


def peak_flops_of_devices() -> float | None:
    """FLOP/s of all devices together; None if unknown."""
    peak = peak_flops(jax.devices()[0].device_kind)
    return peak * jax.device_count() if peak else None


def peak_bytes() -> tuple[int, str]:
    """The largest memory of this process so far: that of the device that used most, or of the host."""
    device = device_peak_bytes()
    return (host_peak_bytes(), "host") if device is None else (device, "device")
