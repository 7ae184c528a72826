"""The stages extract, propose and verify as Apache Beam pipelines: the same functions of a shard, so the same bytes.

The files lie where all workers see them (a shared folder, gs://). Beam's options choose the engine:
"--runner=DirectRunner --direct_num_workers=2 --direct_running_mode=multi_processing", or Dataflow, Flink or Spark.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, groupby
from typing import Any

from etils import epath

from negjax.datasets.labels.image_labels import LabelFile
from negjax.datasets.sources.rows import Row, RowSource
from negjax.datasets.synth.extract import describe_image, extract_settings, path_of, walk_source
from negjax.datasets.synth.propose import (
    ProposeSettings,
    add_all_absent,
    choose_candidates,
    count_names,
    counted,
    propose_settings,
)
from negjax.datasets.synth.shards import (
    StageJob,
    StageRow,
    complete_shards,
    finish_input,
    is_to_make,
    read_input_facts,
    read_shard,
    shard_origin,
    shard_path,
    start_jobs,
    start_stage,
    write_shard,
)
from negjax.datasets.synth.verify import Verifier, keep_unrefuted, verify_settings
from negjax.errors import NegjaxError
from negjax.synthesis.absent import Counts, Names, Occurrences, conclude, count_images


@dataclass(frozen=True)
class ExtractJob:
    """A shard of stage extract: the rows of the source from `first` to before `stop`. Can be pickled.

    Attributes:
        source: the source, with the parts alone that hold these rows.
        first: the index of its first row.
        stop: that of the first row after it.
        target: the file to write.
        origin: what it is made of.
        labelled: as in `run_extract`.
        labels: as in `run_extract`.
    """

    source: RowSource
    first: int
    stop: int
    target: str
    origin: str
    labelled: bool
    labels: LabelFile | None

    def run(self) -> None:
        """Makes the shard."""
        rows = (row for row in self.source.read(lambda *_: None) if self.first <= row.index < self.stop)
        images = [list(group) for _, group in groupby(rows, key=path_of)]
        described = [describe_image(group, labelled=self.labelled, labels=self.labels) for group in images]
        write_shard(epath.Path(self.target), described, "extract", self.origin)


def extract_with_beam(
    source: RowSource,
    out: epath.PathLike,
    options: Sequence[str],
    *,
    labelled: bool = False,
    labels: LabelFile | None = None,
) -> dict[str, Any]:
    """Runs stage extract. This process reads the source once, to find where the shards begin.

    Args:
        source: as in `run_extract`.
        out: the folder of all stages.
        options: those of Beam.
        labelled: as in `run_extract`.
        labels: as in `run_extract`.

    Returns:
        The facts of `run_extract`.
    """
    settings = extract_settings(source, labelled, labels)
    start_stage(out, "extract", settings)
    origin = shard_origin(settings)
    firsts: list[int] = []

    def note_first(shard: int, groups: Sequence[Sequence[Row]]) -> None:
        firsts.append(groups[0][0].index)

    facts = walk_source(source, labelled, labels, note_first, progress=True)
    ends = list(accumulate(shard.rows for shard in source.shards))
    jobs = []
    for number, (first, stop) in enumerate(zip(firsts, [*firsts[1:], ends[-1]])):
        target = shard_path(out, "extract", number)
        if is_to_make(target, origin):
            parts = tuple(part for part, end in zip(source.shards, ends) if end > first and end - part.rows < stop)
            held = replace(source, shards=parts)
            jobs.append(ExtractJob(held, first, stop, str(target), origin, labelled, labels))
    _map(ExtractJob.run, jobs, options)
    finish_input(out, facts)
    return facts


def propose_with_beam(out: epath.PathLike, settings: ProposeSettings, options: Sequence[str]) -> None:
    """Runs stage propose, counting included.

    Args:
        out: the folder of all stages.
        settings: as in `run_propose`.
        options: those of Beam.
    """
    labelled = read_input_facts(out)["labelled"]
    paths = [str(path) for path in complete_shards(out, "extract")]
    jobs = start_jobs(out, "propose", propose_settings(settings, labelled))
    beam = _import_beam()
    with _pipeline(options) as pipeline:
        shards = pipeline | "shards" >> beam.Create(paths) | "spread" >> beam.Reshuffle()
        names = (
            shards
            | "names" >> beam.Map(_names_of)
            | beam.CombineGlobally(_add_counters)
            | beam.Map(choose_candidates, str(out))
        )
        single_names = beam.pvalue.AsSingleton(names)
        occurrences = (
            shards
            | "pairs" >> beam.Map(_count_shard, single_names)
            | "sum" >> beam.CombineGlobally(_add_counts).without_defaults()
            | "conclude" >> beam.Map(_conclude, single_names, labelled)
        )
        _ = (
            pipeline
            | "jobs" >> beam.Create(jobs)
            | "spread jobs" >> beam.Reshuffle()
            | "propose" >> beam.Map(_propose, beam.pvalue.AsSingleton(occurrences), settings)
        )


def verify_with_beam(out: epath.PathLike, verifier: Verifier, options: Sequence[str]) -> None:
    """Runs stage verify.

    Args:
        out: the folder of all stages.
        verifier: as in `run_verify`; each worker gets a copy.
        options: those of Beam.
    """
    jobs = start_jobs(out, "verify", verify_settings(verifier))
    _map(partial(_run_job, change=partial(keep_unrefuted, verifier=verifier)), jobs, options)


def _run_job(job: StageJob, change: Callable[[list[StageRow]], Iterable[StageRow]]) -> None:
    job.run(change)


def _names_of(path: str) -> Counter[str]:
    return count_names(read_shard(epath.Path(path), "extract"))


def _add_counters(parts: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


def _count_shard(path: str, names: tuple[str, ...]) -> Counts:
    return count_images(Names(names), map(counted, read_shard(epath.Path(path), "extract")))


def _add_counts(parts: Iterable[Counts]) -> Counts:
    first, *rest = parts
    return sum(rest, start=first)


def _conclude(counts: Counts, names: tuple[str, ...], labelled: bool) -> Occurrences:
    return conclude(Names(names), counts, complete=labelled)


def _propose(job: StageJob, occurrences: Occurrences, settings: ProposeSettings) -> None:
    job.run(partial(add_all_absent, occurrences=occurrences, settings=settings))


def _map(function: Callable[[Any], None], items: Sequence[Any], options: Sequence[str]) -> None:
    """Calls a function with each item, in Beam's workers."""
    beam = _import_beam()
    with _pipeline(options) as pipeline:
        _ = pipeline | beam.Create(items) | beam.Reshuffle() | beam.Map(function)


@contextmanager
def _pipeline(options: Sequence[str]) -> Iterator[Any]:
    """A pipeline that runs when the block ends; its errors are told in one line."""
    beam = _import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    try:
        with beam.Pipeline(options=PipelineOptions(list(options), save_main_session=False)) as pipeline:
            yield pipeline
    except NegjaxError:
        raise
    except Exception as error:  # whatever an engine raises for what a worker raised
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in lines if "NegjaxError: " in line), lines[-1] if lines else type(error).__name__)
        raise NegjaxError(f"--beam: {told.split('NegjaxError: ')[-1][:400]}") from error


def _import_beam() -> Any:
    try:
        import apache_beam
    except ImportError as error:
        raise NegjaxError("--beam needs the extra beam: pip install 'negjax[beam]'") from error
    return apache_beam
