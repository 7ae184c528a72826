"""The training loop, from top to bottom: data, state, restart, steps, evaluation, checkpoints."""

import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from negjax.config import Experiment
from negjax.datasets.store import open_set
from negjax.errors import NegjaxError
from negjax.input.pipeline import Shard, batches, group_size
from negjax.models.loaded import LoadedModel, to_meta
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.mesh import local_rows, make_mesh, put_batch, replicated
from negjax.runtime.metrics import MetricsLog, Progress
from negjax.tokenizer import Tokenizer
from negjax.training.optimizer import make_optimizer, schedule, trainable
from negjax.training.step import make_step, new_state
from negjax.training.workdir import claim

Evaluate = Callable[[LoadedModel], dict[str, float]]  # "TASK/metric" -> figure in [0, 1]
AHEAD = 2  # batches on their way to the device

logger = logging.getLogger(__name__)


class Preempted(NegjaxError):
    """The run was asked to stop, and did so after a checkpoint."""

    exit_code = 143  # 128 + SIGTERM, which launchers restart


def train(experiment: Experiment, model: LoadedModel, workdir: Path, evaluate: Evaluate | None = None) -> LoadedModel:
    """Trains `model` as `experiment` says and returns it with its last weights.

    Writes WORKDIR/config.json, metrics.jsonl and checkpoints/. Where the workdir holds a checkpoint of the same
    experiment the run goes on from there. Raises NegjaxError for a workdir of another experiment, and Preempted after
    SIGTERM, once a checkpoint is saved.
    """
    claim(workdir, experiment)
    model = replace(model, stored={})  # that says of the start's weights
    mesh = make_mesh()
    optim, steps = experiment.optim, experiment.steps

    # The state, on every device.
    optimizer = make_optimizer(optim, steps, model.params)
    learns = trainable(model.params, optim.freeze)
    state = jax.device_put(new_state(model.params, optimizer), replicated(mesh))
    step_fn = jax.jit(
        make_step(experiment.sources, model.config, model.preprocess, model.compute, optimizer, learns, mesh.size),
        donate_argnums=0,
    )
    learning_rate = schedule(optim, steps)

    with ExitStack() as stack:
        checkpoints = stack.enter_context(
            Checkpoints(workdir / "checkpoints", keep=experiment.keep, best_metric=experiment.evaluation.best or None)
        )
        log = stack.enter_context(MetricsLog(workdir / "metrics.jsonl"))

        # Take up an earlier run where it stopped: the position in the data is the step.
        first = 0
        if checkpoints.latest() is not None:
            state = checkpoints.restore(jax.tree.map(_abstract, state))
            first = int(state["step"])
            logger.info("going on from step %d of %s", first, workdir)
        log.cut_back(first)

        stream = _stream(experiment, model, mesh, first)
        progress = stack.enter_context(Progress(steps, first))
        stopping = stack.enter_context(_stop_signal())
        meta = to_meta(model) | {"config": experiment.to_dict()}
        pending: tuple[int, dict[str, jax.Array]] | None = None
        meter = _Meter(sum(source.batch_size for source in experiment.sources.values()))

        for step in range(first + 1, steps + 1):
            state, metrics = step_fn(state, next(stream))

            # Metrics are fetched a step after they were asked for, so that the device never waits for the host.
            if pending is not None:
                _report(pending, learning_rate, meter, log, progress)
                pending = None
            if step % experiment.log_every == 0 or step == steps:
                pending = step, metrics
            progress.advance(step)

            last = step == steps
            figures = None
            if evaluate and (last or (experiment.evaluation.every and step % experiment.evaluation.every == 0)):
                if pending is not None:
                    _report(pending, learning_rate, meter, log, progress)
                    pending = None
                figures = evaluate(replace(model, params=state["params"]))
                log.write({"step": step, **{f"eval/{name}": value for name, value in figures.items()}})
                meter.restart()
            stop = stopping()
            if last or stop or figures is not None or step % experiment.checkpoint_every == 0:
                if pending is not None:  # a run that goes on from here does not write it
                    _report(pending, learning_rate, meter, log, progress)
                    pending = None
                checkpoints.save(step, state, meta, figures)
            if stop and not last:
                checkpoints.wait()
                raise Preempted(f"stopped at step {step} and saved: run the same command to go on")
        checkpoints.wait()
    return replace(model, params=state["params"])


def _stream(
    experiment: Experiment, model: LoadedModel, mesh: jax.sharding.Mesh, first: int
) -> Iterator[dict[str, Any]]:
    """The batches of all sources on the device, from step `first` on, AHEAD of the steps that use them."""
    streams = {}
    for number, (name, source) in enumerate(experiment.sources.items()):
        data = open_set(experiment.data_dir, source.dataset)
        rows = local_rows(mesh, source.batch_size, f"config.sources.{name}.batch_size", group_size(data))
        streams[name] = batches(
            data,
            source,
            preprocess=model.preprocess,
            tokenizer=model.tokenizer,
            context_length=model.config.text.context_length,
            trim=isinstance(model.tokenizer, Tokenizer) and not model.config.text.sees_padding,
            seed=experiment.seed * 1000 + number,
            first_step=first,
            shard=Shard(rows.start, rows.stop),
            threads=max(1, (os.cpu_count() or 1) // len(experiment.sources)),
        )
    waiting: deque[dict[str, Any]] = deque()
    while True:
        while len(waiting) < AHEAD:
            waiting.append(put_batch(mesh, {name: next(stream) for name, stream in streams.items()}))
        yield waiting.popleft()


def _abstract(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)


class _Meter:
    """Steps and examples a second since the last report."""

    def __init__(self, examples: int):
        self.examples = examples
        self.restart()

    def restart(self) -> None:
        """Starts a new interval at the next report: what lies before it is not training."""
        self.since: tuple[int, float] | None = None

    def read(self, step: int) -> dict[str, float]:
        """The rates since the last reading; nothing at the first."""
        before, now = self.since, time.perf_counter()
        self.since = step, now
        if before is None:
            return {}
        rate = (step - before[0]) / (now - before[1])
        return {"steps_per_second": rate, "examples_per_second": rate * self.examples}


def _report(
    pending: tuple[int, dict[str, jax.Array]],
    learning_rate: Callable[[int], Any],
    meter: _Meter,
    log: MetricsLog,
    progress: Progress,
) -> None:
    """Logs a step's metrics, which are on the device."""
    step, metrics = pending
    values = {name: float(value) for name, value in jax.device_get(metrics).items()}
    rates = meter.read(step)
    log.write({"step": step, **values, "learning_rate": float(learning_rate(step - 1)), **rates})
    progress.show(values["loss"])


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """A function that says whether SIGTERM came; the signal no longer ends the process at once."""
    received = []
    before = signal.signal(signal.SIGTERM, lambda *_: received.append(True))
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, before)
