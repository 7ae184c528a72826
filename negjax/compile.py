"""`negjax compile`: an experiment's training step through the real TPU compiler, on a machine without a TPU.

Neither data nor weights are needed: everything is a shape. Reports how much of each chip's memory a step takes, what it
computes and what it sends, and a lower bound of its time.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh

from negjax.config import Experiment, Source
from negjax.errors import NegjaxError
from negjax.experiment import compute_of, with_needed_bias
from negjax.input.loader import Batch, lengths_key
from negjax.models.architecture import CLIPConfig, with_activation
from negjax.models.clip import abstract_params
from negjax.models.loaded import LoadedModel
from negjax.models.packing import can_pack
from negjax.models.presets import default_preprocess, preset
from negjax.objectives.inputs import INPUTS
from negjax.runtime.chips import chip_for_topology
from negjax.runtime.collectives import Collective, collectives
from negjax.runtime.memory_traffic import memory_traffic
from negjax.runtime.mesh import batch_sharding, local_row_indices, make_mesh, num_batch_shards
from negjax.tokenizers.clip import Tokenizer
from negjax.training.flops import step_flops
from negjax.training.program import Program, make_program
from negjax.training.text_packing import StepTexts, pack_step, unpacked

OPTIONS = 4  # of a question
RECOLORING = 6  # numbers that say how the colours of an image change


@dataclass(frozen=True)
class Compiled:
    """Memory, operations and time of a training step, per chip.

    Attributes:
        topology: the chips, such as "v5e:4x4".
        chips: number of chips.
        mesh: axis -> devices along it.
        batch: source name -> batch size over all chips.
        compile_seconds: how long the compiler took.
        memory: bytes by kind, and their "peak".
        memory_of_chip: memory of a chip in bytes.
        flops: model operations without padding, three times the forward pass of towers that learn.
        real_token_share: the share of the computed tokens of texts that is no padding; None without texts.
        collectives: bytes sent, by kind; None if the compiler cannot print its program, as for v5p with parameters
            sharded over "fsdp".
        memory_traffic: bytes between the chip's memory and its cores; None as for collectives.
        at_best: seconds of computing, of reading and writing memory and of sending (the last two where known) at the
            chip's full speed.
        step_seconds: the largest of them, as if they overlapped completely.
        mfu: model FLOP/s over the chip's peak, at `step_seconds`.
    """

    topology: str
    chips: int
    mesh: dict[str, int]
    batch: dict[str, int]
    compile_seconds: float
    memory: dict[str, int]
    memory_of_chip: int
    flops: float
    real_token_share: float | None
    collectives: list[Collective] | None
    memory_traffic: int | None
    at_best: dict[str, float]
    step_seconds: float
    mfu: float

    @property
    def fits(self) -> bool:
        """Whether the step fits into a chip's memory."""
        return self.memory["peak"] <= self.memory_of_chip

    def to_dict(self) -> dict[str, Any]:
        """The attributes and `fits`, JSON-able."""
        return asdict(self) | {"fits": self.fits}


def compile_experiment(experiment: Experiment, topology: str, tokens: int = 0) -> Compiled:
    """Compiles the step of the experiment for a topology.

    The environment must hold the variables of `negjax.commands.compile.COMPILER` before JAX starts.

    Args:
        experiment: the settings.
        topology: chips, such as "v5e:4x4".
        tokens: of each text; 0 for the context length. Questions have OPTIONS options, which no other row shares.

    Raises:
        NegjaxError: the topology does not exist, the TPU's compiler is not installed, or the batch does not fit.
    """
    chip = chip_for_topology(topology)
    mesh = mesh_of(experiment, topology)
    for name, source in experiment.sources.items():
        local_row_indices(
            mesh, source.batch_size, f"config.sources.{name}.batch_size", parts=experiment.loss.micro_batches
        )
    model = _abstract_model(experiment)
    config = model.config
    texts = step_shapes(experiment, config, mesh, _text_length(config, tokens))
    begin = time.perf_counter()
    program = make_program(experiment, model, mesh)
    compiled = _compile(program, texts.batches)
    seconds = time.perf_counter() - begin
    counted = texts.batches, experiment.sources, program.learns
    flops = step_flops(config, *counted, lengths=texts.lengths) / mesh.size
    hlo = _text(compiled)
    sent = None if hlo is None else collectives(hlo)
    traffic = None if hlo is None else memory_traffic(hlo)
    recomputed = (experiment.model.remat == "full") + (experiment.loss.micro_batches > 1)
    computed = step_flops(config, *counted, recomputed, lengths=texts.lengths)
    at_best = {"compute": computed / mesh.size / chip.flops_per_second}
    if traffic is not None:
        at_best["memory"] = traffic / chip.memory_bytes_per_second
    if sent is not None:
        at_best["collectives"] = sum(collective.bytes for collective in sent) / chip.link_bytes_per_second
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
        real_token_share=texts.real_tokens / texts.tokens if texts.tokens else None,
        collectives=sent,
        memory_traffic=traffic,
        at_best=at_best,
        step_seconds=step_seconds,
        mfu=flops / chip.flops_per_second / step_seconds,
    )


def mesh_of(experiment: Experiment, topology: str) -> Mesh:
    """The experiment's mesh over the chips of a topology, which need not be attached."""
    return make_mesh(_devices(topology), fsdp=experiment.mesh.fsdp, tensor=experiment.mesh.tensor)


class DoesNotFit(NegjaxError):
    """The TPU's compiler finds no place for a step in the memory of a chip."""


def _devices(topology: str) -> list[jax.Device]:
    try:
        with _silent():
            options = {"chip_config_name": "megacore"} if topology.startswith("v4") else {}  # one device a chip
            return topologies.get_topology_desc(platform="tpu", topology_name=topology, **options).devices
    except Exception as error:  # libtpu is missing, or does not know the topology: it raises errors of many types
        reason = " ".join(str(error).split())[:160]
        raise NegjaxError(
            f"--topology {topology}: the TPU compiler does not support it ({reason}); run pip install libtpu, and "
            "choose a name such as v5e:4x4, v5e:16x16, v6e:8x8 or v5p:4x4x4"
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Discards the messages of libtpu about the missing TPU; real failures are raised as errors."""
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _abstract_model(experiment: Experiment) -> LoadedModel:
    """The experiment's model with shapes instead of parameters."""
    spec = experiment.model
    if not spec.arch:
        raise NegjaxError("config.model.arch is empty: give the architecture of the weights, --config.model.arch=NAME")
    config = preset(spec.arch)
    if spec.activation:
        config = with_activation(config, spec.activation)
    config = with_needed_bias(config, experiment)
    return LoadedModel(
        config=config,
        params=abstract_params(config),
        preprocess=default_preprocess(config),
        tokenizer=Tokenizer(config.text.context_length),
        compute=compute_of(spec, "tpu"),
    )


def _text_length(config: CLIPConfig, tokens: int) -> int:
    """Length of the texts of a batch. tokens: the requested length, 0 for the context length."""
    context = config.text.context_length
    if not 0 <= tokens <= context:
        raise NegjaxError(f"--tokens {tokens}: captions of {config.name} have 1 to {context}")
    return tokens or context


def _compile(program: Program, batches: dict[str, Any]) -> Any:
    try:
        return program.step.lower(program.state, batches, program.start if program.needs_start else None).compile()
    except jax.errors.JaxRuntimeError as error:
        reason = " ".join(str(error).split())[:240]
        if "RESOURCE_EXHAUSTED" in reason:
            raise DoesNotFit(f"this step does not fit into the memory of a chip: {reason}") from error
        raise NegjaxError(f"the TPU compiler rejects this step: {reason}") from error


def step_shapes(experiment: Experiment, config: CLIPConfig, mesh: Mesh, tokens: int) -> StepTexts:
    """What `negjax.training.stream` gives a step, as shapes, with a separate question for each row.

    Args:
        experiment: batch sizes and objectives.
        config: the architecture.
        mesh: the devices.
        tokens: of each text.

    Returns:
        The batches, shapes and types sharded over the mesh; lengths and tokens of all devices.
    """
    batches = {name: _batch(source, config, tokens) for name, source in experiment.sources.items()}
    parts = num_batch_shards(mesh) * experiment.loss.micro_batches
    if can_pack(config.text):
        texts = pack_step(batches, experiment.sources, config.text, parts, range(parts))
    else:
        texts = unpacked(batches, experiment.sources, config.text)
    sharding = batch_sharding(mesh)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), texts.batches)
    return replace(texts, batches=shapes)


def _batch(source: Source, config: CLIPConfig, tokens: int) -> Batch:
    """A batch of the source as `negjax.input.pipeline` makes it, of zeros, with texts of so many tokens."""
    rows, text = source.batch_size, config.text
    sizes = {  # by the letters of `negjax.objectives.inputs`
        "B": rows,
        "S": config.vision.image_size,
        "C": 3,
        "A": RECOLORING,
        "T": text.context_length,
        "N": rows * source.hard_negatives,
        "G": rows,
        "O": OPTIONS,
    }
    batch: Batch = {}
    for name in source.inputs:
        spec = INPUTS[name]
        shape = tuple(sizes[axis] for axis in spec.axes)
        batch[name] = np.broadcast_to(np.zeros((), spec.dtype), shape)
        if spec.tower == "text":
            padding = getattr(text, "pad_id", 0)
            ids = np.full(text.context_length, padding, spec.dtype)
            ids[tokens - 1] = getattr(text, "end_token", 0) or padding + 1
            batch[name] = np.broadcast_to(ids, shape)
            batch[lengths_key(name)] = np.full(shape[:-1], tokens)
    return batch


def _text(compiled: Any) -> str | None:
    try:
        with _silent():
            return compiled.as_text()
    except jax.errors.JaxRuntimeError:  # some asynchronous operations cannot be printed
        return None


def _memory(compiled: Any) -> dict[str, int]:
    """Bytes by kind; donated memory is counted once in the peak."""
    analysis = compiled.memory_analysis()
    memory = {
        "arguments": analysis.argument_size_in_bytes,
        "outputs": analysis.output_size_in_bytes,
        "donated": analysis.alias_size_in_bytes,
        "temporary": analysis.temp_size_in_bytes,
        "program": analysis.generated_code_size_in_bytes,
    }
    memory["peak"] = sum(memory.values()) - 2 * memory["donated"]
    return memory


def memory_line(compiled: Compiled) -> str:
    """The share of a chip's memory that a step takes, as text for the terminal."""
    peak, chip = compiled.memory["peak"] / 2**30, compiled.memory_of_chip / 2**30
    return f"{peak:.2f} of {chip:.0f} GiB{'' if compiled.fits else ': does not fit'}"
