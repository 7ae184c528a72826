"""Published figures on NegBench's own files, shown beside a user's runs.

The models' figures are those of "Vision-Language Models Do Not Understand Negation", arXiv 2501.09425, corrected
version; "NegCLIP + NegCap" is NegCLIP fine-tuned on NegCap. This project measured the scorers that never see an image
on the same files, options shuffled. All are in per cent, of the full file; a pair is the range over several ways to
fit the scorer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

COCO = "COCO_val_retrieval.csv"
COCO_NEGATED = "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"
COCO_MCQ = "COCO_val_mcq_llama3.1_rephrased.csv"
VOC_MCQ = "VOC2007_mcq_llama3.1_rephrased.csv"
MSRVTT = "msr_vtt_retrieval.csv"
MSRVTT_NEGATED = "msr_vtt_retrieval_rephrased_llama.csv"
MSRVTT_MCQ = "msr_vtt_mcq_rephrased_llama.csv"

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
    """Name of the published file that a task of results.json was built from; "" where it is none of them."""
    name = PurePath(task.get("source", {}).get("file", "")).name
    return name if any(name == file for row in published_rows() for file, _ in row.figures) else ""


def subset_note(task: Mapping[str, Any]) -> str:
    """Why a task's figures are not comparable with those of the full file (rows were skipped); "" where they are."""
    source = task.get("source", {})
    rows, skipped = source.get("rows", 0), source.get("skipped", 0)
    return f"on a subset of {rows - skipped:,} of {rows:,} rows: not comparable" if skipped else ""


def _to_range(per_cent: float | tuple[float, float]) -> FigureRange:
    low, high = per_cent if isinstance(per_cent, tuple) else (per_cent, per_cent)
    return round(low / 100, 4), round(high / 100, 4)
