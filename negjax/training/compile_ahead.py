"""Compiles a run's step, or loads it from the cache, while its state is made or read."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from negjax.training.compile_notice import CompileNotice
from negjax.training.prepare import PreparedRun
from negjax.training.stream import StepBatch


@contextmanager
def compile_ahead(
    run: PreparedRun, stream: Iterator[StepBatch], newest: int, notice: CompileNotice
) -> Iterator[list[StepBatch]]:
    """Compiles the step for the form of the next batch in a thread, which ends with the context.

    JAX keeps the program, so that the step itself finds it compiled; it also raises whatever the compiler did.

    Args:
        run: what is trained.
        stream: its batches.
        newest: steps that were taken before the next batch.
        notice: is told.

    Yields:
        The batch that was taken from the stream; nothing if no step is left.
    """
    if newest >= run.experiment.steps:
        yield []
        return
    batch = next(stream)
    notice.tell(newest + 1, batch.arrays)
    thread = Thread(target=_compile, args=(run, batch.arrays), name="compile ahead")
    thread.start()
    try:
        yield [batch]
    finally:
        thread.join()


def _compile(run: PreparedRun, arrays: dict[str, Any]) -> None:
    program = run.program
    try:
        program.step.lower(program.state, arrays, program.start if program.needs_start else None).compile()
    except Exception:  # of any type; the step, which is called with the same arguments, raises it in the main thread
        return
