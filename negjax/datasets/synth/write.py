"""Stage 4, `negjax synth write`: stored sets for training and for evaluation, of different images.

OUT/write/SET.json holds the fingerprint of each set as it was written, as only a set that still has it is replaced, and
a digest of the rows of stage verify that it was made of.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from etils import epath

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.derive.build import Rewriter, derive_set
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.source import PARTIAL_LABELS
from negjax.datasets.sources.media_root import MediaRoot, plain_path
from negjax.datasets.sources.rows import Row, RowSource, SkipRow
from negjax.datasets.sources.table_file import file_sha256
from negjax.datasets.sources.table_source import MOST_SHARDS, SHARD_ROWS
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.synth.shards import IMAGES_PER_SHARD, StageRow, complete_shards, read_input_facts, read_shard
from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic
from negjax.runtime.locks import lock_folder
from negjax.runtime.paths import to_path
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.mediums import Medium

# Part of the images -> the kinds of sets that are derived from it.
PARTS = {
    "train": ("negfull", "balanced"),
    "test": ("questions", "half_negated", "truth_table", "negated_retrieval"),
}
MAX_TEST_IMAGES = 50_000  # more say nothing more, and an evaluation set is surveyed in memory
BLOCK_IMAGES = 5_000  # whose questions are made together; memory is bounded by it
MAX_NAMED = 3  # objects that a written caption names


@dataclass(frozen=True)
class WriteSettings:
    """Settings of the stage.

    Attributes:
        name: the first part of the names of all sets.
        data_dir: the folder of the sets.
        media_root: the folder of the images.
        test_share: the share of the images that only test sets show, MAX_TEST_IMAGES at most.
        seed: of all that is drawn.
        skip_missing: leave images out that are missing or broken.
        medium: what the sentences are about; None for clips where the files are clips, else for photographs.
    """

    name: str
    data_dir: epath.PathLike
    media_root: epath.PathLike
    test_share: float = 0.2
    seed: int = 0
    skip_missing: bool = False
    medium: Medium | None = None

    def __post_init__(self) -> None:
        if not 0 < self.test_share <= 1:
            raise NegjaxError(f"--test-share {self.test_share}: give a share above 0 and at most 1")
        if self.seed < 0:
            raise NegjaxError(f"--seed {self.seed}: give 0 or more")


@dataclass(frozen=True)
class StageShard:
    """The rows of some shards of stage verify that are of one part.

    Attributes:
        paths: the files.
        part: "train" or "test".
        settings: those of the stage, with a medium.
        rows: the number of rows.
    """

    paths: tuple[str, ...]
    part: str
    settings: WriteSettings
    rows: int

    def read(self, skip: SkipRow) -> Iterator[Row]:
        for row in _rows_of_part(self.paths, self.part, self.settings.test_share):
            record = {name: row[name] for name in ("id", "captions", "positive_objects", "negative_objects")}
            if not row["captions"]:
                record["captions"] = [self._write_caption(row)]
            yield Row(row["id"], row["filepath"], record)

    def _write_caption(self, row: StageRow) -> str:
        """A caption of an image that has none, of its labels."""
        rng = np.random.default_rng([self.settings.seed, row["id"]])
        writer = CaptionWriter(rng, held_out=self.part == "test", medium=self.settings.medium or "photo")
        if present := row["positive_objects"]:
            return writer.write_affirmative(writer.shuffle(present)[:MAX_NAMED])
        return writer.write_absent(writer.shuffle(row["negative_objects"])[0])


def run_write(
    out: epath.PathLike, settings: WriteSettings, *, rewriter: Rewriter | None = None, progress: bool = True
) -> list[str]:
    """Runs the stage. Sets that were written before are kept if they are of the same rows, and replaced otherwise.

    Args:
        out: the folder of all stages.
        settings: the settings.
        rewriter: changes the words of sentences; None to leave them.
        progress: whether to show progress.

    Returns:
        For each set its name, and what there is to tell about it.

    Raises:
        NegjaxError: the stage before has not ended, images are missing, a set of a name exists that this stage did
            not write, or no set can be made.
    """
    notes, derived, rows = [], 0, _digest_of_rows(out)
    settings, parts, note = _fit_to_input(out, settings)
    if note:
        notes.append(note)
    for part in parts:
        base = f"{settings.name}_{part}"
        source = part_source(out, part, settings)
        if not source.rows:
            raise NegjaxError(f"{out}: no image is in the {part} part: give another --test-share")
        if not _is_written(out, base, settings, {"sha256": source.sha256}):
            _build_base(out, source, base, part, settings, progress)
        data = _record_written(out, base, settings, rows)
        notes.append(f"{base}: {len(data):,} images with their captions")
        for kind in PARTS[part]:
            if note := _derive(out, kind, data, settings, rewriter, progress):
                notes.append(note)
                continue
            derived += 1
            name = f"{settings.name}_{kind}"
            notes.append(f"{name}: {len(_record_written(out, name, settings, rows)):,} rows")
    if not derived:
        raise NegjaxError(f"{out}: too few objects for any set: give more captions, or a larger --max-risk")
    return notes


def _fit_to_input(out: epath.PathLike, settings: WriteSettings) -> tuple[WriteSettings, tuple[str, ...], str]:
    """The settings with what the input decides, the parts that are made of it, and what to tell about that."""
    facts = read_input_facts(out)
    settings = replace(settings, medium=settings.medium or ("video" if facts["clips"] else "photo"))
    if facts["clips"]:
        note = "training takes images: of clips there are test sets alone, which show all of them"
        return replace(settings, test_share=1.0), ("test",), note
    most = MAX_TEST_IMAGES / facts["images"]
    if most < settings.test_share:
        return replace(settings, test_share=most), tuple(PARTS), f"test sets show about {MAX_TEST_IMAGES:,} images"
    return settings, tuple(PARTS), ""


def _build_base(
    out: epath.PathLike, source: RowSource, name: str, part: str, settings: WriteSettings, progress: bool
) -> None:
    """Writes the captions of a part: that for training in shards, in bounded memory."""
    choices = {"skip_missing": settings.skip_missing, "overwrite": True, "negated": False, "progress": progress}
    if part == "test":
        build_evaluation_set(source, name, settings.data_dir, **choices)
    else:
        _remove_other_build(out, source, name, settings)
        processes = min(os.cpu_count() or 1, len(source.shards))
        build_training_set(source, name, settings.data_dir, processes=processes, **choices)


def _remove_other_build(out: epath.PathLike, source: RowSource, name: str, settings: WriteSettings) -> None:
    """Removes what this stage left when it was stopped, or refused, with other rows or another folder of images."""
    record, started = to_path(out) / "write" / f"{name}.started.json", json.dumps(source.describe(), indent=1)
    if record.exists() and record.read_text() != started:
        _remove_building(settings, name)
    write_atomic(record, started)


def _remove_building(settings: WriteSettings, name: str) -> None:
    """Removes the folder in which a set is built, if it was left."""
    building = to_path(settings.data_dir) / f"{name}.building"
    if building.exists():
        with lock_folder(building, f"{building} is in use: another build of this set is running"):
            building.rmtree()


def _derive(
    out: epath.PathLike, kind: str, base: StoredSet, settings: WriteSettings, rewriter: Rewriter | None, progress: bool
) -> str:
    """Derives a set, unless it is written; returns why it cannot be made, else ""."""
    name = f"{settings.name}_{kind}"
    request = DeriveRequest(kind, settings.seed, medium=settings.medium or "photo")
    origin = {
        "derived_from": base.name,
        "fingerprint": base.fingerprint,
        "seed": settings.seed,
        "medium": request.medium,
        "paraphrase": None,
        **(rewriter.settings if rewriter else {}),
    }
    if _is_written(out, name, settings, origin):
        return ""
    try:
        derive_set(
            request,
            base.name,
            name,
            settings.data_dir,
            block_images=BLOCK_IMAGES,
            rewriter=rewriter,
            overwrite=True,
            progress=progress,
        )
    except NegjaxError as error:
        if "can be made of these labels" not in str(error):
            raise
        if (former := to_path(settings.data_dir) / name).exists():
            former.rmtree()  # of rows that are no more
        return f"{name}: not made, because {error}"
    return ""


def part_source(out: epath.PathLike, part: str, settings: WriteSettings) -> RowSource:
    """The rows of stage verify of one part, as the source of a captions set."""
    facts = read_input_facts(out)
    labels = {} if facts["labelled"] else {"labels": PARTIAL_LABELS}
    digest = hashlib.sha256(f"{part} {settings.test_share} {settings.skip_missing} {labels}".encode())
    if facts["captionless"]:
        digest.update(f"{settings.medium} {settings.seed}".encode())
    paths, counts = complete_shards(out, "verify"), []
    for path in paths:
        digest.update(path.read_bytes())
        counts.append(sum(1 for _ in _rows_of_part([str(path)], part, settings.test_share)))
    each = max(SHARD_ROWS // IMAGES_PER_SHARD, -(-len(paths) // MOST_SHARDS))
    shards = (
        StageShard(tuple(map(str, paths[k : k + each])), part, settings, sum(counts[k : k + each]))
        for k in range(0, len(paths), each)
    )
    return RowSource(
        kind="captions",
        name=str(out),
        file=PurePath(out).name,
        sha256=digest.hexdigest(),
        media_root=str(settings.media_root),
        fields=("captions",),
        shards=tuple(shard for shard in shards if shard.rows),
        task_kind="retrieval" if part == "test" else "train",
        find_media=MediaRoot(settings.media_root).find,
        metadata=labels,
    )


def is_test(path: str, test_share: float) -> bool:
    """Whether the image with this path is in the test part: by its path alone, so that both parts stay what they are
    when rows are added."""
    digest = hashlib.blake2b(plain_path(path).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < test_share * 2**64


def _rows_of_part(paths: Iterable[str], part: str, test_share: float) -> Iterator[StageRow]:
    """The rows of a part, without images of which nothing can be said."""
    for path in paths:
        for row in read_shard(epath.Path(path), "verify"):
            says = row["captions"] or row["positive_objects"] or row["negative_objects"]
            if says and is_test(row["filepath"], test_share) == (part == "test"):
                yield row


def _is_written(out: epath.PathLike, name: str, settings: WriteSettings, origin: Mapping[str, object]) -> bool:
    """Whether a set exists and was made of this.

    Raises:
        NegjaxError: it was made of something else, and is not as this stage wrote it.
    """
    folder = to_path(settings.data_dir) / name
    if not folder.exists():
        return False
    data = open_set(settings.data_dir, name)
    made_of = data.metadata.get("source", {})
    if all(made_of.get(key) == value for key, value in origin.items()):
        return True
    record = _record_path(out, name)
    if not record.exists() or json.loads(record.read_text())["fingerprint"] != data.fingerprint:
        raise NegjaxError(
            f"{folder} was made of something else, and not by negjax synth write of {out}: delete it, or give another "
            "--name"
        )
    return False


def _record_written(out: epath.PathLike, name: str, settings: WriteSettings, rows: str) -> StoredSet:
    """Opens a set of this stage and records it as such, for `_is_written` and `check_rows`."""
    data = open_set(settings.data_dir, name)
    _remove_building(settings, name)  # of a build that was killed after its set was complete
    write_atomic(_record_path(out, name), json.dumps({"fingerprint": data.fingerprint, "rows": rows}, indent=1))
    return data


def check_rows(out: epath.PathLike, name: str) -> None:
    """Raises NegjaxError if a set of this stage was made of other rows than stage verify has now."""
    record = _record_path(out, name)
    if record.exists() and json.loads(record.read_text())["rows"] != _digest_of_rows(out):
        raise NegjaxError(f"set {name} is of other rows than stage verify of {out} now: run negjax synth write again")


def _digest_of_rows(out: epath.PathLike) -> str:
    return hashlib.sha256(" ".join(map(file_sha256, complete_shards(out, "verify"))).encode()).hexdigest()


def _record_path(out: epath.PathLike, name: str) -> epath.Path:
    return to_path(out) / "write" / f"{name}.json"
