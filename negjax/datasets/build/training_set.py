"""Builds training sets of any size, in shards and several processes; each shard is kept once it is complete.

A build that was stopped resumes with the same command. Until it is complete its files are in DATA_DIR/NAME.building:
plan.json describes the build, and shard-*.json the content of each complete shard. A shard that skipped images of a
media root is built again if one of them has appeared or changed since.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.build.media_matches import AmbiguousMatch
from negjax.datasets.build.outcome import BuiltSet, decide_negated, empty_text_notes
from negjax.datasets.build.processes import build_shards
from negjax.datasets.build.set_images import SetImages
from negjax.datasets.build.shard_build import ShardJob, ShardSummary, read_result
from negjax.datasets.build.skipped import explain_reasons
from negjax.datasets.sources.joined_questions import join_questions
from negjax.datasets.sources.rows import (
    AMBIGUOUS_QUESTION,
    INVALID,
    NO_QUESTION,
    RowSource,
    check_option_counts,
)
from negjax.datasets.stored.store import PLAN_FILE, check_free, claim_name
from negjax.datasets.stored.writing import SetSpec, WrittenShard, finish_set
from negjax.errors import NegjaxError
from negjax.media.jpeg import JPEG_QUALITY
from negjax.runtime.files import write_atomic
from negjax.runtime.progress import track_progress

ALWAYS_SKIPPED = (NO_QUESTION, AMBIGUOUS_QUESTION)  # these rows are to be expected where questions are joined
BUILD_FORMAT = 5  # of the files in NAME.building; a build by a version with another format is not resumed


def build_training_set(
    source: RowSource,
    name: str,
    data_dir: epath.PathLike,
    *,
    short_side: int = 0,
    processes: int = 1,
    skip_missing: bool = False,
    overwrite: bool = False,
    negated: bool | None = None,
    progress: bool = True,
) -> BuiltSet:
    """Builds the set DATA_DIR/NAME, of task kind "train", from a source.

    Every image is decoded, to check that it can be. Malformed rows and rows whose image is missing or broken end the
    build once all shards are built; it can then be resumed with images put in place, with `skip_missing`, or both.
    Where questions are joined, rows without a question are always skipped.

    Args:
        source: What to build the set from.
        name: Name of the set.
        data_dir: The folder of sets.
        short_side: Images with a longer short side are shrunk to it, in pixels, and stored as JPEG, which the
            metadata record; 0 stores all byte for byte.
        processes: Number of processes that build shards.
        skip_missing: Skip such rows, and name the first of them in the metadata.
        overwrite: Replace a set of this name.
        negated: Whether the texts negate; None to decide by whether most rows hold a negation word.
        progress: Whether to show progress.

    Raises:
        NegjaxError: Something is wrong with the source, two paths are found as one file, questions have several
            numbers of options, or another build of this name is running.
    """
    check_free(data_dir, name, overwrite=overwrite)
    if source.benchmark:
        raise NegjaxError(f"{source.name} is of {source.benchmark}, a benchmark: leave --train out to evaluate on it")
    if source.metadata.get("crops"):
        raise NegjaxError(f"{source.name} is about boxes of images: training sets hold whole images")
    metadata = _describe_set(source, short_side)
    spec = SetSpec(name, source.fields, metadata)
    with claim_name(data_dir, name, overwrite=overwrite) as workspace:
        _start_or_resume(workspace, name, _plan(source, metadata))
        if source.questions_file:
            source = join_questions(source, workspace / "questions.npy", skip_missing)
        count = len(source.shards)
        jobs = [
            ShardJob(replace(source, shards=(shard,)), index, count, str(workspace), spec, short_side)
            for index, shard in enumerate(source.shards)
        ]
        images = _build_shards(source, jobs, processes, workspace, progress)
        shards, summary = _read_results(jobs)
        written = sum(shard.rows for shard in shards)
        check_option_counts(f"set {name}", summary.option_counts)
        _check_skipped(source, summary, written, skip_missing)
        is_negated, notes = decide_negated(source, negated, summary.texts, summary.negated_texts, "rows")
        decided = {"negated": is_negated, "skipped": summary.skipped.by_reason}
        finish_set(workspace, SetSpec(name, source.fields, metadata | decided), shards)
        folder = _move_into_place(workspace, epath.Path(data_dir) / name)
    notes += images.notes(summary.dropped)
    notes += summary.skipped.notes(source, explain_reasons(source))
    notes += empty_text_notes(summary.empty_texts)
    return BuiltSet(folder, source.rows, written, summary.skipped.counts(), (*source.notes, *notes))


def _describe_set(source: RowSource, short_side: int) -> dict[str, Any]:
    """The set's metadata that do not depend on its rows."""
    return {
        **source.metadata,
        "task_kind": "train",
        "media_type": "image",
        "tokenizer": "clip",
        "altered": f"short side at most {short_side}, JPEG quality {JPEG_QUALITY}" if short_side else "",
        "short_side": short_side,
        "fields": list(source.fields),
        "source": source.describe(),
    }


def _plan(source: RowSource, metadata: dict[str, Any]) -> str:
    """Describes the build as JSON; a build that resumes must have the same plan."""
    plan = {
        "format": BUILD_FORMAT,
        "source": metadata["source"],
        "fields": source.fields,
        "shards": [shard.rows for shard in source.shards],
        "altered": metadata["altered"],
    }
    return json.dumps(plan, indent=1)


def _start_or_resume(workspace: epath.Path, name: str, plan: str) -> None:
    """Writes the plan of a build; raises NegjaxError if the folder holds another build's shards."""
    plan_path = workspace / PLAN_FILE
    if plan_path.exists() and plan_path.read_text() != plan and (workspace / name).exists():
        raise NegjaxError(
            f"{workspace} holds an unfinished build from other files, with other settings or by an "
            "earlier version: resume that one, delete the folder to start again, or choose another name"
        )
    write_atomic(plan_path, plan)


def _build_shards(
    source: RowSource, jobs: Sequence[ShardJob], processes: int, workspace: epath.Path, progress: bool
) -> SetImages:
    """Builds the shards that are not complete yet; returns the images of all.

    Raises:
        NegjaxError: Two paths are found as one file. No shard is kept then: others may hold wrong images as well, and a
            build that resumes would not search for them again.
    """
    images = SetImages(source)
    with track_progress(source.rows, f"building {jobs[0].spec.name}", progress) as done:

        def on_shard(job: ShardJob, shard_images: np.ndarray) -> None:
            images.add(shard_images)
            done(job.source.rows)

        try:
            build_shards(jobs, processes, on_shard)
        except AmbiguousMatch as error:
            workspace.rmtree()
            raise NegjaxError(f"{error}; the shards built so far may hold wrong images, and are deleted") from error
    return images


def _read_results(jobs: Sequence[ShardJob]) -> tuple[list[WrittenShard], ShardSummary]:
    """The recorded content of all shards, and their total."""
    shards, total = [], ShardSummary()
    for job in jobs:
        shard, summary = read_result(job)
        shards.append(shard)
        total.add_shard(summary)
    return shards, total


def _check_skipped(source: RowSource, summary: ShardSummary, written: int, skip_missing: bool) -> None:
    """Raises NegjaxError if rows were skipped that must not be, or no row was written."""
    explanations = explain_reasons(source)
    for reason, count in summary.skipped.counts().items():
        if not count or (written and (skip_missing or reason in ALWAYS_SKIPPED)):
            continue
        if not written:
            remedy = "no row is left: fix this"
        elif reason != INVALID and source.find_media is not None:
            remedy = "put complete images in place and run the same command again to resume"
        else:
            remedy = "fix the file and build again"
        if written:
            remedy += ", or resume with --skip-missing to skip such rows"
        raise summary.skipped.refusal(reason, source, explanations[reason], remedy)


def _move_into_place(workspace: epath.Path, folder: epath.Path) -> epath.Path:
    """Moves the complete set from the folder of the build to its own; returns the latter."""
    if folder.exists():
        folder.rename(workspace / "replaced")
    (workspace / folder.name).rename(folder)
    workspace.rmtree()
    return folder
