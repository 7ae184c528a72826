"""The training steps that are compared with PyTorch's, each on the one batch of its set."""

from dataclasses import replace

from negjax.bench.measures.train import step_workload
from negjax.bench.settings import NEGFULL_PAIRS, PAIRS, QUESTIONS, SHARED, BenchSettings
from negjax.bench.workload import Workload
from negjax.config import Source


def contrastive(settings: BenchSettings) -> Workload:
    """A step on pairs."""
    return _step(settings, {"pairs": Source(PAIRS, settings.batch, contrastive=1.0)})


def negfull(settings: BenchSettings) -> Workload:
    """A step on pairs, and on questions about other images."""
    pairs = Source(NEGFULL_PAIRS, settings.negfull_batch, contrastive=1.0)
    questions = Source(QUESTIONS, settings.negfull_batch, mcq=1.0)
    return _step(settings, {"pairs": pairs, "questions": questions})


def shared(settings: BenchSettings) -> Workload:
    """A step on images with a caption and a question each."""
    return _step(settings, {"negfull": Source(SHARED, settings.negfull_batch, contrastive=1.0, mcq=1.0)})


def _step(settings: BenchSettings, sources: dict[str, Source]) -> Workload:
    return step_workload(replace(settings, data_dir=settings.folder, batches=1), sources)
