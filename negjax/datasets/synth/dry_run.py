"""`negjax synth STAGE --dry-run`: what would be made and how long it would take, by a sample; nothing is written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter

from etils import epath

from negjax.datasets.derive.build import make_rows
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import LabelledImages
from negjax.datasets.labels.image_labels import LabelFile
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import RowSource, is_video
from negjax.datasets.synth.extract import describe_image, extract_settings, read_images
from negjax.datasets.synth.propose import ProposeSettings, add_absent, count_rows, propose_settings
from negjax.datasets.synth.shards import (
    StageRow,
    complete_shards,
    count_kept,
    read_input_facts,
    read_shard,
)
from negjax.datasets.synth.write import BLOCK_IMAGES, PARTS, WriteSettings, is_test
from negjax.errors import NegjaxError
from negjax.synthesis.extract import extract
from negjax.synthesis.labels import build_labels

SAMPLE_IMAGES = 500  # enough for a rate, and to have pairs of objects; a second or two
SAMPLE_PICTURES = 50


@dataclass
class DryRun:
    """A sample that goes through the stages in memory.

    Attributes:
        images: how many images there are, by estimate where the input has not been read to its end.
        labelled: whether their objects are complete labels.
        rows: the rows of the sample, as the last stage made them.
        seconds: what each stage took for the sample.
        lines: what there is to tell.
    """

    images: int
    labelled: bool
    rows: list[StageRow]
    seconds: dict[str, float] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measures what a stage takes for the sample."""
        start = perf_counter()
        yield
        self.seconds[stage] = perf_counter() - start

    def tell(self, stage: str, what: str, kept: int = 0) -> None:
        """Adds the line of a stage, with its time for all images."""
        seconds = self.seconds[stage] / max(len(self.rows), 1) * self.images
        already = f"; {kept:,} shards exist already and are kept" if kept else ""
        self.lines.append(f"{stage}: {what}; about {_duration(seconds)} in one process{already}")

    def report(self) -> list[str]:
        """All lines, the last of which is about all stages."""
        seconds = sum(self.seconds.values()) / max(len(self.rows), 1) * self.images
        time = f"in all about {_duration(seconds)}, " if self.seconds else ""
        return [*self.lines, f"{time}by the first {len(self.rows):,} images; nothing was written"]


def sample_source(source: RowSource, out: epath.PathLike, labelled: bool, labels: LabelFile | None) -> DryRun:
    """Runs stage extract on a sample.

    Args:
        source: the captions.
        out: the folder of all stages, which need not exist.
        labelled: as in `run_extract`.
        labels: as in `run_extract`.

    Raises:
        NegjaxError: there are no usable rows.
    """
    malformed: list[str] = []
    groups = list(islice(read_images(source, malformed, lambda _: None), SAMPLE_IMAGES))
    if not groups:
        raise NegjaxError(f"{source.name} has no usable row; the first: {malformed[0] if malformed else 'none'}")
    read = sum(map(len, groups)) + len(malformed)
    ended = len(groups) < SAMPLE_IMAGES
    images = len(groups) if ended else round(source.rows * len(groups) / read)
    run = DryRun(images, labels.complete if labels else labelled, [])
    extract("A dog and a cat without a hat")  # reads the lexicon, once
    with run.timed("extract"):
        run.rows = [describe_image(group, labelled=labelled, labels=labels) for group in groups]
    kept = count_kept(out, "extract", extract_settings(source, labelled, labels))
    run.tell("extract", f"{source.rows:,} rows of {'' if ended else 'about '}{images:,} images", kept)
    if malformed:
        run.lines.append(f"  {len(malformed):,} malformed rows among the first {read:,}; the first: {malformed[0]}")
    return run


def sample_stage(out: epath.PathLike, stage: str) -> DryRun:
    """A sample of the rows of a stage that ended; raises NegjaxError if it has not."""
    facts = read_input_facts(out)
    rows: list[StageRow] = []
    for path in complete_shards(out, stage):
        rows += read_shard(path, stage)[: SAMPLE_IMAGES - len(rows)]
        if len(rows) == SAMPLE_IMAGES:
            break
    return DryRun(facts["images"], facts["labelled"], rows)


def sample_propose(run: DryRun, out: epath.PathLike, settings: ProposeSettings) -> None:
    """Runs stage propose on the sample; its estimates are those of so few images."""
    with run.timed("propose"):
        occurrences = count_rows(lambda: run.rows, run.labelled, "the sample")
        run.rows = [add_absent(row, occurrences, settings) for row in run.rows]
    absent = sum(len(row["negative_objects"]) for row in run.rows) / len(run.rows)
    kept = count_kept(out, "propose", propose_settings(settings, run.labelled))
    run.tell("propose", f"about {absent:.0f} absent objects an image", kept)


def tell_claims(run: DryRun) -> None:
    """Tells how many claims stage verify would check."""
    claims = sum(len(row["negative_objects"]) for row in run.rows) / len(run.rows) * run.images
    run.lines.append(f"verify: about {claims:,.0f} claims of {run.images:,} images")


def sample_write(run: DryRun, settings: WriteSettings) -> None:
    """Reads some images, and makes the questions and captions of the sample."""
    root = MediaRoot(settings.media_root)
    found = [root.find(row["filepath"]) for row in run.rows]
    missing = found.count(None)
    medium = settings.medium or ("video" if any(is_video(row["filepath"]) for row in run.rows) else "photo")
    with run.timed("write"):
        pictures = [media for media in found if media][:SAMPLE_PICTURES]
        start = perf_counter()
        size = sum(len(media.read_bytes()) for media in pictures) / max(len(pictures), 1)
        reading = (perf_counter() - start) / max(len(pictures), 1)
        made = []
        for part, kinds in PARTS.items():
            rows = [row for row in run.rows if is_test(row["filepath"], settings.test_share) == (part == "test")]
            for kind in kinds if rows else ():
                request = DeriveRequest(kind, settings.seed, medium=medium)
                count = len(make_rows(request, _labelled_images(rows, run.labelled)).rows)
                made.append(f"{count / len(run.rows) * run.images:,.0f} rows of {settings.name}_{kind}")
    run.seconds["write"] += reading * 2 * len(run.rows)  # for a set and for what is derived from it
    gigabytes = 2 * size * run.images / 1e9
    run.tell("write", f"about {', '.join(made)}, and {gigabytes:.1f} GB of images, each stored twice")
    if missing:
        run.lines.append(f"  {missing:,} of the {len(run.rows):,} images are not below {settings.media_root}")


def _labelled_images(rows: Sequence[StageRow], labelled: bool) -> LabelledImages:
    rows = rows[:BLOCK_IMAGES]
    absent = None if labelled else [row["negative_objects"] for row in rows]
    labels = build_labels([row["positive_objects"] for row in rows], absent=absent)
    return LabelledImages(labels, [row["captions"] or ["a photo"] for row in rows])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
