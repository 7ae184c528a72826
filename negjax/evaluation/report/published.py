"""Published figures on NegBench's own files, shown beside a user's runs.

The models' figures are those of "Vision-Language Models Do Not Understand Negation", arXiv 2501.09425, corrected
version; "NegCLIP + NegCap" is NegCLIP fine-tuned on NegCap. This project measured the scorers that never see an image
on the same files, options shuffled. All are in per cent, of the full file; a pair is the range over several ways to
fit the scorer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

from negjax.evaluation.report.runs import Run

COCO = "COCO_val_retrieval.csv"
COCO_NEGATED = "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"
COCO_MCQ = "COCO_val_mcq_llama3.1_rephrased.csv"
VOC_MCQ = "VOC2007_mcq_llama3.1_rephrased.csv"
MSRVTT = "msr_vtt_retrieval.csv"
MSRVTT_NEGATED = "msr_vtt_retrieval_rephrased_llama.csv"
MSRVTT_MCQ = "msr_vtt_mcq_rephrased_llama.csv"

# Rows and sha256 of the published files; the sha256 of VOC's is not known here.
_FILES = {
    COCO: (5000, "dfe9217359b42f3f68bd93245f92a04701b8d3cde0aaf3fd1c26694d6de8d547"),
    COCO_NEGATED: (5000, "08a8db9b96130ab27f91f5ef14f413981d70a96bc9b3557436a26256db115b7d"),
    COCO_MCQ: (5914, "42bc853b64fb7d995e73e39212cbbe076ea3e06c8dca1ccc892910f3f91bceee"),
    VOC_MCQ: (5031, ""),
    MSRVTT: (1000, "5a3f5dd07a6e8623a1bc7966aeb4f1ec8d0e3300a0ab1c1ec424079e0d79d896"),
    MSRVTT_NEGATED: (1000, "c1e4dae44f21e7ff432550f6c7331ad8c4da78e8aea5a5519740be5d5e79c888"),
    MSRVTT_MCQ: (1000, "026bb5df20ca4761796babe2b5bdf36d235e4eca7c82704fbb63055d6a495ae4"),
}
_VIDEO = {"frames": 4, "preprocess": "negbench"}  # how clips were read for the published figures

PAPER = "arXiv 2501.09425, corrected version"
MEASURED = "measured on the published file, options shuffled"

_MAIN_COLUMNS = (
    (COCO, "image_retrieval_recall@5"),
    (COCO_NEGATED, "image_retrieval_recall@5"),
    (COCO_MCQ, "accuracy"),
    (MSRVTT, "image_retrieval_recall@5"),
    (MSRVTT_NEGATED, "image_retrieval_recall@5"),
    (MSRVTT_MCQ, "accuracy"),
)
_MAIN_FIGURES = {
    "CLIP ViT-B/32": (54.8, 48.0, 39.2, 50.6, 45.8, 32.1),
    "CLIP ViT-B/32 + CC12M": (58.8, 54.5, 34.7, 53.7, 49.9, 30.8),
    "CLIP ViT-B/32 + NegCap": (58.5, 57.8, 47.3, 54.1, 53.5, 41.5),
    "CLIP ViT-B/32 + NegFull": (54.2, 51.9, 54.4, 46.9, 43.9, 44.9),
    "NegCLIP": (68.7, 64.4, 28.6, 53.7, 51.0, 27.3),
    "NegCLIP + NegCap": (68.6, 67.5, 40.4, 56.5, 54.6, 39.8),
    "NegCLIP + NegFull": (69.0, 67.0, 56.2, 54.0, 51.5, 46.2),
}
_VOC_ACCURACY = {
    "CLIP ViT-B/32": 38.7,
    "CLIP ViT-B/32 + NegFull": 54.8,
    "NegCLIP": 30.5,
    "NegCLIP + NegFull": 59.7,
    "ConCLIP": 38.1,
    "LAION-400M": 31.6,
    "DataComp": 23.1,
}
_ACCURACY_BY_KIND = {  # of positive, negative and hybrid questions
    "CLIP ViT-B/32": {COCO_MCQ: (69.1, 6.8, 39.3), VOC_MCQ: (82.6, 3.3, 59.0)},
    "NegCLIP": {COCO_MCQ: (51.6, 16.1, 17.1), VOC_MCQ: (75.4, 5.7, 40.4)},
    "ConCLIP": {COCO_MCQ: (14.4, 33.5, 24.5), VOC_MCQ: (24.6, 23.0, 56.7)},
}
_BLIND_ACCURACY: dict[str, dict[str, float | tuple[float, float]]] = {
    "rule: the longer affirmation": {COCO_MCQ: 55.8, VOC_MCQ: 42.2, MSRVTT_MCQ: 51.0},
    "bigrams, fitted on another set": {COCO_MCQ: 73.8, VOC_MCQ: 73.6, MSRVTT_MCQ: (38.0, 41.0)},
}

FigureRange = tuple[float, float]  # lowest and highest, in [0, 1]; equal where a single figure was published


@dataclass(frozen=True)
class PublishedRow:
    """The published figures of a model or scorer.

    Attributes:
        name: Its name.
        source: Where the figures are from.
        blind: Whether it is a scorer that never sees the image.
        figures: The figures by (published file, metric).
    """

    name: str
    source: str
    blind: bool
    figures: Mapping[tuple[str, str], FigureRange]


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """All rows: NegBench's models, then the scorers that never see an image."""
    models: dict[str, dict[tuple[str, str], FigureRange]] = {}
    for name, figures in _MAIN_FIGURES.items():
        models[name] = {column: _to_range(figure) for column, figure in zip(_MAIN_COLUMNS, figures)}
    for name, accuracy in _VOC_ACCURACY.items():
        models.setdefault(name, {})[VOC_MCQ, "accuracy"] = _to_range(accuracy)
    metrics = ("positive_accuracy", "negative_accuracy", "hybrid_accuracy")
    for name, accuracy_by_file in _ACCURACY_BY_KIND.items():
        for file, accuracies in accuracy_by_file.items():
            models[name] |= {(file, metric): _to_range(figure) for metric, figure in zip(metrics, accuracies)}
    rows = [PublishedRow(name, PAPER, False, figures) for name, figures in models.items()]
    for name, blind_accuracy in _BLIND_ACCURACY.items():
        ranges = {(file, "accuracy"): _to_range(figure) for file, figure in blind_accuracy.items()}
        rows.append(PublishedRow(name, MEASURED, True, ranges))
    return tuple(rows)


def published_file(task: Mapping[str, Any]) -> str:
    """Name of the published file that a task of results.json was built from; "" where it is none of them.

    A file of that name with another number of rows is none of them.
    """
    name, rows = _name_and_rows(task)
    return name if name in _FILES and rows in (None, _FILES[name][0]) else ""


def match_published(tasks: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The published file that runs of a task were built from, and why their figures are not comparable with its.

    Args:
        tasks: The task in the results of each run.

    Returns:
        As `published_file` and `published_note`, of the first run that has one.
    """
    matching = [task for task in tasks if published_file(task)]
    notes = (note for task in matching if (note := published_note(task)))
    return (published_file(matching[0]), next(notes, "")) if matching else ("", "")


def other_file_notes(runs: Sequence[Run]) -> list[str]:
    """A sentence for each task whose file has the name of a published one, and another number of rows."""
    notes = []
    for run in runs:
        for task, result in run.tasks.items():
            name, rows = _name_and_rows(result)
            if name in _FILES and not published_file(result):
                notes.append(
                    f"{task}: {name} has {rows:,} rows, and the published file of that name {_FILES[name][0]:,}: "
                    "published figures are left out"
                )
    return list(dict.fromkeys(notes))


def published_note(task: Mapping[str, Any]) -> str:
    """Why a task's figures are not comparable with the published ones of its file; "" where they are.

    Rows were skipped, the content of the file is another one, or clips were read in another way.
    """
    source, video = task.get("source", {}), _VIDEO | task.get("video", {})
    rows, skipped = source.get("rows", 0), source.get("skipped", 0)
    sha256, expected = source.get("sha256"), _FILES.get(published_file(task), (0, ""))[1]
    reasons = [f"on a subset of {rows - skipped:,} of {rows:,} rows"] if skipped else []
    if sha256 and expected and sha256 != expected:
        reasons.append("of a file with other content than the published one")
    if video != _VIDEO:
        reasons.append(f"with {video['frames']} frames of each clip, resized as by {video['preprocess']}")
    return f"{', '.join(reasons)}: not comparable" if reasons else ""


def _name_and_rows(task: Mapping[str, Any]) -> tuple[str, int | None]:
    """Name and number of rows of the file that a task was built from."""
    source = task.get("source", {})
    return PurePath(source.get("file", "")).name, source.get("rows")


def _to_range(per_cent: float | tuple[float, float]) -> FigureRange:
    low, high = per_cent if isinstance(per_cent, tuple) else (per_cent, per_cent)
    return round(low / 100, 4), round(high / 100, 4)
