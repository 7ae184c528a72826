"""An evaluation from the stored sets to the figures, without a cache of embeddings."""

from negjax.bench.measures.setup import bench_model, open_tasks, peak_bytes
from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.evaluation.evaluate import evaluate


def tasks(settings: BenchSettings) -> Workload:
    """All tasks, with intervals and blind figures."""
    model, sets = bench_model(settings), open_tasks(settings)

    def run(times: int) -> None:
        for _ in range(times):
            evaluate(model, sets, progress=False)

    return Workload(run, sum(map(len, sets)), "rows", peak_bytes)
