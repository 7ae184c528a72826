"""Training sets of any size: made in shards by several processes, each shard kept once it is whole.

A build that was stopped, however, goes on with the same command. It lies in DATA_DIR/NAME.building until it is done.
A shard that left out images of a media root is made again once one of them is found or has changed.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from etils import epath

from negjax.datasets.build.evaluation_set import NAMED, Built
from negjax.datasets.sources.parts import Part, ShardedSource
from negjax.datasets.sources.joined_questions import asked
from negjax.datasets.records import ENCODED, Record
from negjax.datasets.sources.rows import MediaFile, Row, RowFile, check_one_form, is_video
from negjax.datasets.stored.store import check_free
from negjax.datasets.stored.writing import SetSpec, Shard, finish, shard_path, write_shard
from negjax.errors import NegjaxError
from negjax.media.jpeg import JPEG_QUALITY, shrink_to_jpeg
from negjax.media.images import decode
from negjax.runtime.locks import lock_folder
from negjax.runtime.files import write_atomic
from negjax.runtime.progress import track_progress
from negjax.language.negation import is_negated

MISSING = "missing"
REASONS = {  # why a row is left out
    MISSING: "their files are not below {root}",
    "broken": "their images cannot be decoded",
    "invalid": "they cannot be understood",
    "unasked": "there is no question for their images",
    "unsure": "no question for an image of their name is surely theirs",
}
EXPECTED = ("unasked", "unsure")  # where questions are asked for


@dataclass
class Tally:
    """What a part held. left_out: for each of REASONS how many rows, and the first NAMED of them with why.

    asked, negating, empty, options: as in `survey.Survey`.
    """

    left_out: dict[str, dict[str, Any]] = field(default_factory=lambda: {r: {"count": 0, "first": []} for r in REASONS})
    asked: int = 0
    negating: int = 0
    empty: int = 0
    options: dict[int, RowFile] = field(default_factory=dict)

    def leave_out(self, reason: str, row: int, why: str) -> None:
        entry = self.left_out[reason]
        entry["count"] += 1
        if len(entry["first"]) < NAMED:
            entry["first"].append({"row": row, "why": why})

    def read(self, row: Row) -> None:
        """Takes note of a row's texts."""
        record = row.record
        if "options" in record:
            self.options.setdefault(len(record["options"]), (row.number, row.file))
        texts = [text for name in ENCODED for text in record.get(name, ())]
        self.empty += sum(not text.strip() for text in texts)
        self.asked += 1
        self.negating += any(map(is_negated, texts))

    def __add__(self, other: "Tally") -> "Tally":
        both = {
            reason: {
                "count": mine["count"] + theirs["count"],
                "first": (mine["first"] + theirs["first"])[:NAMED],
            }
            for reason, mine, theirs in ((r, self.left_out[r], other.left_out[r]) for r in REASONS)
        }
        counts = self.asked + other.asked, self.negating + other.negating, self.empty + other.empty
        return Tally(both, *counts, other.options | self.options)


@dataclass(frozen=True)
class Job:
    """A shard to make: of which part, where, and how; can be pickled. short_side: 0 keeps images as they are."""

    part: Part
    number: int
    shards: int
    workplace: str
    form: SetSpec
    short_side: int

    @property
    def path(self) -> epath.Path:
        return shard_path(epath.Path(self.workplace), self.form.name, self.number, self.shards)

    @property
    def said(self) -> epath.Path:
        """The file that says of a shard that is whole what it holds."""
        return epath.Path(self.workplace) / f"shard-{self.number:05d}.json"


def build_training_set(
    source: ShardedSource,
    name: str,
    data_dir: epath.PathLike,
    *,
    short_side: int = 0,
    processes: int = 1,
    skip_missing: bool = False,
    overwrite: bool = False,
    negated: bool | None = None,
    progress: bool = True,
) -> Built:
    """Makes the set DATA_DIR/NAME, of task kind "train", of a source; `parts` has them.

    Every image is decoded, to know that it can be. short_side: images whose short side is longer are made so small and
    stored as JPEG, which the metadata say; 0 stores all byte for byte. processes: that make shards at once.
    Rows whose image is missing or broken, or that cannot be understood, end the build once all shards are made; with
    skip_missing they are left out, counted and the first named in the metadata. So are, in any case, rows for whose
    image there is no question, or none that is surely its own, where questions are asked for. After such an end the
    build goes on with images put in place below the media root, with skip_missing, or both.
    negated: whether the texts negate; None to tell by the texts.
    Raises NegjaxError for anything wrong with the source, for questions with more options than others, or when another
    build of this name is under way.
    """
    check_free(data_dir, name, overwrite=overwrite)
    workplace = epath.Path(data_dir) / f"{name}.building"
    altered = f"short side at most {short_side}, JPEG quality {JPEG_QUALITY}" if short_side else ""
    source_said = {
        "kind": source.kind,
        "file": source.file,
        "sha256": source.sha256,
        "rows": source.rows,
        "media_root": source.media_root,
    }
    metadata = {
        "task_kind": "train",
        "media_type": "image",
        "tokenizer": "clip",
        "altered": altered,
        "short_side": short_side,
        "fields": list(source.fields),
        "source": source_said,
    }
    form = SetSpec(name, source.fields, metadata)
    shards_said = [part.rows for part in source.parts]
    plan = {"source": source_said, "fields": source.fields, "shards": shards_said, "altered": altered}
    with _claimed(workplace, name, json.dumps(plan, indent=1)):
        if source.questions:
            source = asked(source, workplace / "questions.npy", skip_missing)
        count = len(source.parts)
        jobs = [Job(part, number, count, str(workplace), form, short_side) for number, part in enumerate(source.parts)]
        with track_progress(source.rows, f"building {name}", progress) as done:
            _make_all(jobs, processes, done)
        shards, tally = [], Tally()
        for job in jobs:
            shard, each = _made(job)
            shards.append(shard)
            tally += each
        written = sum(shard.rows for shard in shards)
        check_one_form(f"set {name}", tally.options)
        _check(source, tally, written, skip_missing)
        negates = negated if negated is not None else tally.negating > tally.asked / 2
        found = {"negated": negates, "skipped": tally.left_out}
        whole = SetSpec(name, source.fields, metadata | found)
        finish(workplace, whole, shards)
        folder = epath.Path(data_dir) / name
        if folder.exists():
            folder.rename(workplace / "replaced")
        (workplace / name).rename(folder)
        workplace.rmtree()
    counts = {reason: entry["count"] for reason, entry in tally.left_out.items()}
    return Built(folder, source.rows, written, **counts, notes=_notes(source, tally, negated))


def _make_all(jobs: list[Job], processes: int, done: Callable[[int], object]) -> None:
    """Makes the shards that do not stand yet."""
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            done(_make(job))
        return
    # Not forked: the threads of JAX and ArrayRecord do not survive that.
    with ExitStack() as stack:
        pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent)
        stack.callback(pool.shutdown, cancel_futures=True)
        try:
            for future in as_completed([pool.submit(_make, job) for job in jobs]):
                done(future.result())
        except BrokenProcessPool as error:
            raise NegjaxError(
                "a process of the build was killed (out of memory?): the same command goes on, with fewer --processes"
            ) from error


def _end_with_parent() -> None:
    """Ends this process when the one that started it dies, which leaves the pool's processes waiting otherwise."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _make(job: Job) -> int:
    """Makes a shard, unless it stands, and then says that it is whole; returns how many rows of the source it is of."""
    if _stands(job):
        return job.part.rows
    job.said.unlink(missing_ok=True)
    tally, lost = Tally(), dict[str, str]()
    half = job.said.with_name(f"half-{job.number:05d}-{os.getpid()}")
    try:
        shard = write_shard(half, job.form, _examples(job, tally, lost))
        job.path.parent.mkdir(parents=True, exist_ok=True)
        half.replace(job.path)
    except (OSError, RuntimeError) as error:  # RuntimeError is what ArrayRecord raises for a full disk
        raise NegjaxError(f"cannot write {job.path}: {error}; the same command goes on from there") from error
    finally:
        half.unlink(missing_ok=True)
    write_atomic(job.said, json.dumps({"shard": asdict(shard), "tally": asdict(tally), "lost": lost}))
    return job.part.rows


def _stands(job: Job) -> bool:
    """Whether the shard is made, and no image that it left out is there by now, or broken in another way."""
    if not (job.said.exists() and job.path.exists()):
        return False
    lost = json.loads(job.said.read_text())["lost"]
    find = job.part.finder() if lost else None
    return find is None or all(_fault(find(file)) == fault for file, fault in lost.items())


def _fault(place: MediaFile | None) -> str:
    """What is wrong with an image, "" for nothing."""
    if place is None:
        return MISSING
    try:
        decode(place.read_bytes(), str(place))
    except (NegjaxError, OSError) as error:
        return str(error)
    return ""


def _examples(job: Job, tally: Tally, lost: dict[str, str]) -> Iterator[Record]:
    """The records of a shard; notes in `lost` what is wrong with each file that cannot be had."""
    for row, place in job.part.read(tally.leave_out):
        if place is None:
            tally.leave_out(MISSING, row.number, row.file)
            lost[row.file] = MISSING
            continue
        if is_video(row.file):
            raise NegjaxError(f"row {row.number}, {row.file}, is a clip: training sets hold images")
        try:
            data = place.read_bytes()
            image = decode(data, str(place))
        except (NegjaxError, OSError) as error:
            tally.leave_out("broken", row.number, str(error))
            lost[row.file] = str(error)
            continue
        tally.read(row)
        check_one_form(f"set {job.form.name}", tally.options)
        yield row.record | {"media": shrink_to_jpeg(image, data, job.short_side) if job.short_side else data}


def _made(job: Job) -> tuple[Shard, Tally]:
    """What is said of a shard. Raises NegjaxError when it is not there as it was written."""
    said = json.loads(job.said.read_text())
    shard = Shard(**said["shard"])
    if not job.path.exists() or job.path.stat().length != shard.bytes:
        raise NegjaxError(f"{job.path} is not as it was written: delete {job.said}, and run the same command again")
    tally = Tally(**said["tally"])
    tally.options = {int(count): (row, file) for count, (row, file) in tally.options.items()}  # JSON's keys are texts
    return shard, tally


def _check(source: ShardedSource, tally: Tally, written: int, skip_missing: bool) -> None:
    """Raises NegjaxError where rows must not be left out, and where none is left."""
    for reason, why in REASONS.items():
        entry = tally.left_out[reason]
        if entry["count"] and not (written and (skip_missing or reason in EXPECTED)):
            first = entry["first"][0]
            elsewhere = reason != "invalid" and source.parts[0].finder() is not None
            mend = "put whole ones in place" if elsewhere else "mend the file and start anew"
            again = f"{mend}, or leave such rows out with --skip-missing; the same command goes on from the shards made"
            remedy = again if written else "mend this"
            raise NegjaxError(
                f"{source.name}: {entry['count']} of {source.rows} rows cannot be used, for "
                f"{why.format(root=source.media_root)}; the first is row {first['row']} ({first['why']}); {remedy}"
            )


def _notes(source: ShardedSource, tally: Tally, negated: bool | None) -> tuple[str, ...]:
    share = tally.negating / tally.asked
    notes = [*source.notes]
    if negated is None:
        notes.append(f"{share:.0%} of its rows hold a negation word (--negated tells otherwise)")
    notes += [
        f"left out {entry['count']:,} of {source.rows:,} rows: {REASONS[reason].format(root=source.media_root)} "
        f"(the first is row {entry['first'][0]['row']}: {entry['first'][0]['why']})"
        for reason, entry in tally.left_out.items()
        if entry["count"]
    ]
    if tally.empty:
        notes.append(f"empty texts: {tally.empty:,}, kept")
    return tuple(notes)


@contextmanager
def _claimed(workplace: epath.Path, name: str, plan: str) -> Iterator[None]:
    """The folder of a build, for this process alone.

    Raises NegjaxError when it is in use, or holds shards of another build.
    """
    stated = workplace / "plan.json"
    workplace.mkdir(parents=True, exist_ok=True)
    with lock_folder(workplace, f"{workplace} is in use: another build of this set is running"):
        if stated.exists() and stated.read_text() != plan and (workplace / name).exists():
            raise NegjaxError(
                f"{workplace} was begun from other files or with other settings: go on with those, delete it to start "
                "anew, or choose another name"
            )
        write_atomic(stated, plan)
        yield
