"""The training loop, from top to bottom: state, data, steps, evaluation, checkpoints."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Any

from etils import epath

from negjax.config import Experiment
from negjax.input.broken import BrokenRows
from negjax.models.loaded import LoadedModel
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.paths import to_path
from negjax.runtime.profiler import ProfileWindow
from negjax.training.compile_ahead import compile_ahead
from negjax.training.compile_notice import CompileNotice
from negjax.training.guard import State
from negjax.training.optimizer import schedule
from negjax.training.pending import PendingMetrics
from negjax.training.prepare import PreparedRun
from negjax.training.resume import agree_on_start, open_checkpoints, resume_or_start, roll_back_state
from negjax.training.run_log import RunLog
from negjax.training.stop_signal import Preempted, stop_signal
from negjax.training.stream import StepBatch, stream_batches
from negjax.training.workdir import claim_workdir

Evaluate = Callable[[LoadedModel], dict[str, float]]  # "TASK/metric" -> figure in [0, 1]


@dataclass(frozen=True)
class Due:
    """Actions that are due after a step.

    Attributes:
        log: its metrics are logged.
        evaluate: the tasks are evaluated.
        save: a checkpoint is saved.
        stop: the run was asked to stop before its last step.
    """

    log: bool
    evaluate: bool
    save: bool
    stop: bool


def due_after(step: int, experiment: Experiment, *, evaluates: bool, stop: bool) -> Due:
    """The actions that are due after a step.

    Args:
        step: number of the step.
        experiment: the settings.
        evaluates: whether the run has tasks.
        stop: whether the run was asked to stop.
    """
    last = step == experiment.steps
    evaluate = evaluates and (last or _is_multiple(step, experiment.evaluation.every))
    return Due(
        log=last or _is_multiple(step, experiment.log_every),
        evaluate=evaluate,
        save=last or stop or evaluate or _is_multiple(step, experiment.checkpoint_every),
        stop=stop and not last,
    )


def train(
    run: PreparedRun, workdir: epath.PathLike, evaluate: Evaluate | None = None, window: ProfileWindow | None = None
) -> LoadedModel:
    """Trains as the experiment says and returns the model with its last weights.

    Writes WORKDIR/config.json, metrics.jsonl and checkpoints/. If the workdir holds checkpoints of the same experiment,
    the run resumes from the newest that is not damaged. All processes must call it, with the same workdir.

    Args:
        run: the result of `negjax.training.prepare.prepare_run`.
        workdir: the folder of this run.
        evaluate: scores a model during training.
        window: the steps to trace, if any.

    Raises:
        NegjaxError: the workdir belongs to another experiment.
        Preempted: SIGTERM was received and a checkpoint was saved.
    """
    workdir, experiment, program = to_path(workdir, "--workdir"), run.experiment, run.program
    with ExitStack() as stack:
        # From here on the workdir is this run's; all processes must have the same start and the same data.
        stack.enter_context(claim_workdir(workdir, experiment))
        meta = run.checkpoint_meta()
        agree_on_start(meta)
        checkpoints = stack.enter_context(open_checkpoints(experiment, workdir))

        # Resume where an earlier run stopped: the step is the position in the data, too.
        broken, notice = {name: BrokenRows(experiment.most_broken) for name in experiment.sources}, CompileNotice()
        state, stream = _resume(run, checkpoints, meta, broken, notice)
        start = run.initial_params() if program.needs_start else None
        run.release_start()
        first = int(state["step"])
        rate = schedule(experiment.optim, experiment.steps)
        log = stack.enter_context(RunLog(workdir, experiment, first, rate, window))
        is_stop_requested = stack.enter_context(stop_signal())
        pending, step = PendingMetrics(), first

        while step < experiment.steps:
            # Dispatch the step; the devices compute it while the host continues.
            step += 1
            with log.step(step):
                with log.waiting():
                    batch = next(stream)
                notice.tell(step, batch.arrays)
                state, metrics = program.step(state, batch.arrays, start)

            # Metrics of an earlier step are read only now, so that the devices never wait for the host.
            halted = pending.halted()
            _write_pending(log, pending)
            due = due_after(step, experiment, evaluates=evaluate is not None, stop=is_stop_requested())
            if due.log:
                pending.hold(step, metrics)
            log.advance(step, metrics, batch.work)

            # Before anything is saved, this step must be complete and good, and its metrics written.
            if due.save and not halted:
                halted = bool(metrics["halted"])
                _write_pending(log, pending)

            # A halted state has not changed since the bad step, whose number it holds, whenever this is noticed.
            if halted:
                state = roll_back_state(run, checkpoints, state)
                step = int(state["step"])
                pending.drop()
                log.restart_timings()
                stream = stream_batches(run, broken, step)
                continue

            figures = None
            if due.evaluate and evaluate:
                figures = evaluate(run.with_trained(state["params"], start, mesh=run.mesh))
                log.write_evaluation(step, figures)
            if due.save:
                log.flush()  # a run that resumes from this checkpoint does not write these lines again
                checkpoints.save(step, state, meta, figures)
            if due.stop:
                checkpoints.wait()
                raise Preempted(f"stopped at step {step} and saved: run the same command to resume")
        checkpoints.wait()
    return run.with_trained(state["params"], start)


def _resume(
    run: PreparedRun,
    checkpoints: Checkpoints,
    meta: Mapping[str, Any],
    broken: Mapping[str, BrokenRows],
    notice: CompileNotice,
) -> tuple[State, Iterator[StepBatch]]:
    """The state to continue from, and the batches after it; the step is compiled meanwhile."""
    newest = checkpoints.newest_step()
    stream = stream_batches(run, broken, newest)
    with compile_ahead(run, stream, newest, notice) as upcoming:
        state = resume_or_start(run, checkpoints, meta)
    if int(state["step"]) != newest:  # that checkpoint is damaged
        return state, stream_batches(run, broken, int(state["step"]))
    return state, chain(upcoming, stream)


def _is_multiple(step: int, every: int) -> bool:
    """Whether an action that is due every `every` steps is due after this step; never for 0."""
    return every > 0 and step % every == 0


def _write_pending(log: RunLog, pending: PendingMetrics) -> None:
    """Writes the metrics that are held, if any; not those of a step in which the state was halted."""
    if not pending.halted() and (held := pending.take()) is not None:
        log.write_metrics(*held)
