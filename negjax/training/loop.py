"""The training loop, from top to bottom: data, state, restart, steps, evaluation, checkpoints."""

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import jax
from etils import epath

from negjax.config import Experiment
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.input.broken import BrokenRows
from negjax.input.pipeline import batches, group_size
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel, to_meta
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.distributed import check_agreement, reached_preemption
from negjax.runtime.mesh import local_row_indices, make_mesh, put_batch
from negjax.runtime.profiler import ProfileWindow
from negjax.runtime.sharding import device_put_tree
from negjax.tokenizers.clip import Tokenizer
from negjax.training.flops import step_flops
from negjax.training.guard import roll_back
from negjax.training.optimizer import schedule, trainable
from negjax.training.program import make_program
from negjax.training.run_log import RunLog
from negjax.training.workdir import claimed

Evaluate = Callable[[LoadedModel], dict[str, float]]  # "TASK/metric" -> figure in [0, 1]
BAD = "step {}: the loss or its gradient is not finite, or the gradient is a spike"
AHEAD = 2  # batches on their way to the device

logger = logging.getLogger(__name__)


class Preempted(NegjaxError):
    """The run was asked to stop, and did so after a checkpoint."""

    exit_code = 143  # 128 + SIGTERM, which launchers restart


def train(
    experiment: Experiment,
    model: LoadedModel,
    workdir: epath.PathLike,
    evaluate: Evaluate | None = None,
    window: ProfileWindow | None = None,
) -> LoadedModel:
    """Trains `model` as `experiment` says and returns it with its last weights.

    Writes WORKDIR/config.json, metrics.jsonl and checkpoints/, and a trace of the steps of `window`. Where the workdir
    holds a checkpoint of the same experiment the run goes on from the newest that is not damaged. Of several processes
    all must call it, with the same workdir. Raises NegjaxError for a workdir of another experiment, and Preempted after
    SIGTERM, once a checkpoint is saved.
    """
    workdir = epath.Path(workdir)
    model = replace(model, stored={})  # that says of the start's weights
    mesh = make_mesh(fsdp=experiment.mesh.fsdp, tensor=experiment.mesh.tensor)
    optim, steps = experiment.optim, experiment.steps
    program = make_program(experiment, model.config, model.preprocess, model.compute, model.params, mesh)

    def initial() -> Params:
        return device_put_tree(model.params, program.shardings["params"])

    with ExitStack() as stack:
        stack.enter_context(claimed(workdir, experiment))
        data = {name: open_set(experiment.data_dir, source.dataset) for name, source in experiment.sources.items()}
        meta = to_meta(model) | {
            "config": experiment.to_dict(),
            "start": model.info.get("sha256", ""),
            "data": {name: each.fingerprint for name, each in data.items()},
        }
        check_agreement(meta["start"], "weights (config.model.init_from)")
        for name, fingerprint in meta["data"].items():
            check_agreement(fingerprint, f"rows in config.sources.{name}.dataset")
        checkpoints = stack.enter_context(
            Checkpoints(workdir / "checkpoints", keep=experiment.keep, best_metric=experiment.evaluation.best or None)
        )

        # Take up an earlier run where it stopped: the position in the data is the step.
        state = checkpoints.restore_newest(program.state) or program.start(initial())
        first = int(state["step"])
        if first:
            logger.info("going on from step %d of %s", first, workdir)
            _check_resumed(experiment, meta, checkpoints.read_meta(first))
        teacher = None if program.teacher is None else initial()

        broken = {name: BrokenRows(experiment.most_broken) for name in experiment.sources}
        stream = _stream(experiment, data, model, mesh, broken, first)
        record = stack.enter_context(RunLog(workdir, experiment, first, schedule(optim, steps), window))
        stopping = stack.enter_context(_stop_signal())
        learns = trainable(model.params, optim.freeze)

        step = first
        while step < steps:
            step += 1
            with record.step(step):
                with record.waiting():
                    batch = next(stream)
                state, metrics = program.step(state, batch, teacher)

            # Metrics are fetched a step after they were asked for, so that the device never waits for the host.
            bad = record.fetch()
            last, stop = step == steps, stopping()
            if last or step % experiment.log_every == 0:
                record.hold(step, metrics)
            record.advance(step, metrics, step_flops(model.config, batch, experiment.sources, learns))

            evaluated = evaluate is not None and (last or _due(step, experiment.evaluation.every))
            saved = last or stop or evaluated or _due(step, experiment.checkpoint_every)
            if saved and not bad:
                bad = record.fetch() or bool(metrics["halted"])
            if bad:
                # The state stands still since the bad step, whose number it holds: the same wherever this was noticed.
                step = int(state["step"])
                _check_bad_step(experiment, step)
                checkpoints.wait()
                restored = checkpoints.restore_newest(program.state) or program.start(initial())
                logger.warning("%s: back to step %d, and on behind it", BAD.format(step), int(restored["step"]))
                state = jax.device_put(roll_back(restored, state), program.shardings)
                record.drop()
                stream = _stream(experiment, data, model, mesh, broken, step)
                continue

            figures = None
            if evaluate and evaluated:
                figures = evaluate(replace(model, params=state["params"], mesh=mesh))
                record.evaluated(step, figures)
            if saved:
                record.flush()  # a run that goes on from here does not write it
                checkpoints.save(step, state, meta, figures)
            if stop and not last:
                checkpoints.wait()
                raise Preempted(f"stopped at step {step} and saved: run the same command to go on")
        checkpoints.wait()
    return replace(model, params=state["params"])


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _check_resumed(experiment: Experiment, meta: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Raises NegjaxError where the data, or the teacher, are not those of the run that wrote the checkpoint.

    meta, before: what a checkpoint holds beside its arrays, now and then.
    """
    for name, fingerprint in meta["data"].items():
        if before["data"][name] != fingerprint:
            dataset = experiment.sources[name].dataset
            raise NegjaxError(
                f"config.sources.{name}.dataset: {dataset} in {experiment.data_dir} holds other rows than when this "
                "run started: put them back, or use another --workdir"
            )
    distills = any(source.distill for source in experiment.sources.values())
    if distills and before["start"] != meta["start"]:
        raise NegjaxError(
            f"config.model.init_from: {experiment.model.init_from} holds other weights than when this run started, and "
            "distill keeps to those: put them back, or use another --workdir"
        )


def _check_bad_step(experiment: Experiment, step: int) -> None:
    """Raises NegjaxError where the run shall stop at a bad step, and where that is its last."""
    if experiment.optim.on_bad_step == "stop":
        raise NegjaxError(
            f"{BAD.format(step)}; lower the learning rate, or set config.optim.on_bad_step to skip or roll_back"
        )
    if step == experiment.steps:
        raise NegjaxError(f"{BAD.format(step)}, and it is the last one: train a step more or less")


def _stream(
    experiment: Experiment,
    data: Mapping[str, StoredSet],
    model: LoadedModel,
    mesh: jax.sharding.Mesh,
    broken: Mapping[str, BrokenRows],
    first: int,
) -> Iterator[dict[str, Any]]:
    """The batches of all sources on the device, from step `first` on, AHEAD of the steps that use them."""
    streams = {}
    for number, (name, source) in enumerate(experiment.sources.items()):
        rows = local_row_indices(mesh, source.batch_size, f"config.sources.{name}.batch_size", group_size(data[name]))
        streams[name] = batches(
            data[name],
            source,
            preprocess=model.preprocess,
            tokenizer=model.tokenizer,
            context_length=model.config.text.context_length,
            trim=isinstance(model.tokenizer, Tokenizer) and not model.config.text.sees_padding,
            seed=experiment.seed * 1000 + number,
            first_step=first,
            rows=rows,
            threads=max(1, (os.cpu_count() or 1) // len(experiment.sources)),
            broken=broken[name],
        )
    waiting: deque[dict[str, Any]] = deque()
    while True:
        while len(waiting) < AHEAD:
            waiting.append(put_batch(mesh, {name: next(stream) for name, stream in streams.items()}))
        yield waiting.popleft()


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """A function that says in each pass of the loop whether to stop, for SIGTERM no longer ends the process at once.

    Of several processes all stop in the same pass, whichever got the signal. Once it says so, it goes on saying so.
    """
    received: list[bool] = []
    if jax.process_count() > 1:
        passes = count(1)  # not steps, which a roll-back takes up again

        def together() -> bool:
            if reached_preemption(next(passes)):
                received.append(True)
            return bool(received)

        yield together
        return
    before = signal.signal(signal.SIGTERM, lambda *_: received.append(True))
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, before)
