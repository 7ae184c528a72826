"""`negjax compile`: an experiment's training step through the real TPU compiler, on a machine without a TPU.

Neither data nor weights are needed: everything is a shape. Says what a step takes of each chip's memory, what it
computes and what it sends, and how fast it could be at best.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh

from negjax.config import Experiment, Source
from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, for_sigmoid_loss, with_activation
from negjax.models.clip import abstract_params
from negjax.models.compute import Compute
from negjax.models.presets import default_preprocess, preset
from negjax.runtime.chips import chip_for_topology
from negjax.runtime.collectives import Collective, collectives
from negjax.runtime.mesh import batch_sharding, local_row_indices, make_mesh
from negjax.training.flops import step_flops
from negjax.training.optimizer import trainable
from negjax.training.program import make_program

OPTIONS = 4  # of a question


@dataclass(frozen=True)
class Compiled:
    """What a step takes, per chip; bytes, seconds and operations.

    memory: by kind, and its `peak`. flops: model operations, three times the forward pass of towers that learn.
    collectives: None where the compiler can't write its program down, as for v5p with parameters cut over "fsdp".
    at_best: the seconds that computing and sending (where it is known) take at the chip's full speed; step_seconds is
    the larger of them, as if both overlapped wholly, and mfu the share of the chip's speed that this leaves to the
    model.
    """

    topology: str
    chips: int
    mesh: dict[str, int]
    batch: dict[str, int]
    compile_seconds: float
    memory: dict[str, int]
    memory_of_chip: int
    flops: float
    collectives: list[Collective] | None
    at_best: dict[str, float]
    step_seconds: float
    mfu: float

    @property
    def fits(self) -> bool:
        return self.memory["peak"] <= self.memory_of_chip

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"fits": self.fits}


def compile_experiment(experiment: Experiment, topology: str, tokens: int = 0) -> Compiled:
    """Compiles the step of the experiment for a topology such as "v5e:4x4".

    tokens: length of the longest caption of a batch; 0 for the whole context, which is the most it can be. Questions
    have OPTIONS options of their own. Set the variables of `negjax.commands.compile.COMPILER` before JAX starts.
    Raises NegjaxError for a topology that does not exist, without the TPU's compiler, and for what does not fit.
    """
    chip = chip_for_topology(topology)
    mesh = make_mesh(_devices(topology), fsdp=experiment.mesh.fsdp, tensor=experiment.mesh.tensor)
    for name, source in experiment.sources.items():
        local_row_indices(
            mesh, source.batch_size, f"config.sources.{name}.batch_size", parts=experiment.loss.micro_batches
        )
    config = _architecture(experiment)
    length = tokens or config.text.context_length
    if not 0 < length <= config.text.context_length:
        raise NegjaxError(f"--tokens {tokens}: captions of {config.name} have 1 to {config.text.context_length}")
    if config.text.sees_padding:
        length = config.text.context_length
    begin = time.perf_counter()
    batches = {name: batch_shapes(source, config, mesh, length) for name, source in experiment.sources.items()}
    compiled = _compile(experiment, config, mesh, batches)
    seconds = time.perf_counter() - begin
    learns = trainable(abstract_params(config), experiment.optim.freeze)
    flops = step_flops(config, batches, experiment.sources, learns) / mesh.size
    sent = _collectives(compiled)
    again = (experiment.model.remat == "full") + (experiment.loss.micro_batches > 1)
    at_best = {
        "compute": step_flops(config, batches, experiment.sources, learns, again) / mesh.size / chip.flops_per_second
    }
    if sent is not None:
        at_best["collectives"] = sum(each.bytes for each in sent) / chip.link_bytes_per_second
    step_seconds = max(at_best.values())
    return Compiled(
        topology=topology,
        chips=mesh.size,
        mesh=dict(mesh.shape),
        batch={name: source.batch_size for name, source in experiment.sources.items()},
        compile_seconds=round(seconds, 1),
        memory=_memory(compiled),
        memory_of_chip=int(chip.memory_bytes),
        flops=flops,
        collectives=sent,
        at_best=at_best,
        step_seconds=step_seconds,
        mfu=flops / chip.flops_per_second / step_seconds,
    )


def _devices(topology: str) -> list[jax.Device]:
    try:
        with _silent():
            how = {"chip_config_name": "megacore"} if topology.startswith("v4") else {}  # one device a chip
            return topologies.get_topology_desc(platform="tpu", topology_name=topology, **how).devices
    except Exception as error:  # libtpu is not there, or it does not know the topology: it raises of many kinds
        reason = " ".join(str(error).split())[:160]
        raise NegjaxError(
            f"--topology {topology}: the TPU's compiler does not give it ({reason}); it needs pip install libtpu, and "
            "names such as v5e:4x4, v5e:16x16, v6e:8x8 or v5p:4x4x4"
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Throws away what libtpu prints of the TPU that it does not find here; what matters it raises."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _architecture(experiment: Experiment) -> CLIPConfig:
    spec = experiment.model
    if not spec.arch:
        raise NegjaxError("config.model.arch is empty: say the architecture of the weights, --config.model.arch=NAME")
    config = preset(spec.arch)
    if spec.activation:
        config = with_activation(config, spec.activation)
    sigmoid = any(source.sigmoid for source in experiment.sources.values())
    return for_sigmoid_loss(config) if sigmoid and config.logit_bias_init is None else config


def _compile(experiment: Experiment, config: CLIPConfig, mesh: Mesh, batches: dict[str, Any]) -> Any:
    spec = experiment.model
    compute = Compute(dtype=spec.dtype, remat=spec.remat, scan=spec.scan)
    program = make_program(experiment, config, default_preprocess(config), compute, abstract_params(config), mesh)
    try:
        return program.step.lower(program.state, batches, program.teacher).compile()
    except jax.errors.JaxRuntimeError as error:
        reason = " ".join(str(error).split())[:240]
        raise NegjaxError(f"the TPU's compiler refuses this step: {reason}") from error


def batch_shapes(source: Source, config: CLIPConfig, mesh: Mesh, tokens: int) -> dict[str, jax.ShapeDtypeStruct]:
    """A batch of the source, as `negjax.input.pipeline` makes them, all of whose texts have so many tokens."""
    rows, size = source.batch_size, config.vision.image_size

    def array(shape: tuple[int, ...], kind: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, kind, sharding=batch_sharding(mesh))

    batch = {"image": array((rows, size, size, 3), np.uint8)}
    if source.recolors:
        batch["augment"] = array((rows, 6), np.float32)
    if source.uses_captions:
        batch["text"] = array((rows, tokens), np.int32)
    if source.hard_negatives:
        batch["negative_text"] = array((rows * source.hard_negatives, tokens), np.int32)
    if source.mcq:
        batch |= {"options": array((rows, OPTIONS, tokens), np.int32), "answer": array((rows,), np.int32)}
    return batch


def _collectives(compiled: Any) -> list[Collective] | None:
    try:
        with _silent():
            text = compiled.as_text()
    except jax.errors.JaxRuntimeError:  # some asynchronous operations don't survive the way out of the TPU's compiler
        return None
    return collectives(text)


def _memory(compiled: Any) -> dict[str, int]:
    """Bytes by kind; what is given away (donated) is counted once in the peak."""
    found = compiled.memory_analysis()
    memory = {
        "arguments": found.argument_size_in_bytes,
        "outputs": found.output_size_in_bytes,
        "donated": found.alias_size_in_bytes,
        "temporary": found.temp_size_in_bytes,
        "program": found.generated_code_size_in_bytes,
    }
    memory["peak"] = sum(memory.values()) - 2 * memory["donated"]
    return memory


def memory_line(compiled: Compiled) -> str:
    """For people: what of a chip's memory a step takes."""
    peak, chip = compiled.memory["peak"] / 2**30, compiled.memory_of_chip / 2**30
    return f"{peak:.2f} of {chip:.0f} GiB{'' if compiled.fits else ': does not fit'}"
