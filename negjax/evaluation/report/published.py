"""Published figures on NegBench's own files, to stand beside a user's runs.

The models' figures are those of "Vision-Language Models Do Not Understand Negation", arXiv 2501.09425, corrected
version; "NegCLIP + NegCap" is NegCLIP fine-tuned on NegCap. The scorers that never see an image were measured
on the same files by this project, options shuffled. All are in per cent, of the whole file; a pair is the range over
several ways to fit the scorer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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

_RECALL = "image_retrieval_recall@5"
_SIX = (  # the columns of _MAIN
    (COCO, _RECALL),
    (COCO_NEGATED, _RECALL),
    (COCO_MCQ, "accuracy"),
    (MSRVTT, _RECALL),
    (MSRVTT_NEGATED, _RECALL),
    (MSRVTT_MCQ, "accuracy"),
)
_MAIN = {
    "CLIP ViT-B/32": (54.8, 48.0, 39.2, 50.6, 45.8, 32.1),
    "CLIP ViT-B/32 + CC12M": (58.8, 54.5, 34.7, 53.7, 49.9, 30.8),
    "CLIP ViT-B/32 + NegCap": (58.5, 57.8, 47.3, 54.1, 53.5, 41.5),
    "CLIP ViT-B/32 + NegFull": (54.2, 51.9, 54.4, 46.9, 43.9, 44.9),
    "NegCLIP": (68.7, 64.4, 28.6, 53.7, 51.0, 27.3),
    "NegCLIP + NegCap": (68.6, 67.5, 40.4, 56.5, 54.6, 39.8),
    "NegCLIP + NegFull": (69.0, 67.0, 56.2, 54.0, 51.5, 46.2),
}
_VOC = {
    "CLIP ViT-B/32": 38.7,
    "CLIP ViT-B/32 + NegFull": 54.8,
    "NegCLIP": 30.5,
    "NegCLIP + NegFull": 59.7,
    "ConCLIP": 38.1,
    "LAION-400M": 31.6,
    "DataComp": 23.1,
}
_KINDS = ("positive_accuracy", "negative_accuracy", "hybrid_accuracy")
_BY_KIND = {
    "CLIP ViT-B/32": {COCO_MCQ: (69.1, 6.8, 39.3), VOC_MCQ: (82.6, 3.3, 59.0)},
    "NegCLIP": {COCO_MCQ: (51.6, 16.1, 17.1), VOC_MCQ: (75.4, 5.7, 40.4)},
    "ConCLIP": {COCO_MCQ: (14.4, 33.5, 24.5), VOC_MCQ: (24.6, 23.0, 56.7)},
}
_BLIND: dict[str, dict[str, float | tuple[float, float]]] = {
    "rule: the longer affirmation": {COCO_MCQ: 55.8, VOC_MCQ: 42.2, MSRVTT_MCQ: 51.0},
    "bigrams, fitted on another set": {COCO_MCQ: 73.8, VOC_MCQ: 73.6, MSRVTT_MCQ: (38.0, 41.0)},
}

Figure = tuple[float, float]  # the least and the greatest, in [0, 1]; equal where one figure was published


@dataclass(frozen=True)
class Published:
    """A row of the table: figures by (published file, metric). blind: a scorer that never sees the image."""

    name: str
    source: str
    blind: bool
    figures: Mapping[tuple[str, str], Figure]


def published_rows() -> list[Published]:
    """All rows: NegBench's models, then the scorers that never see an image."""
    made: dict[str, dict[tuple[str, str], Figure]] = {}
    for name, figures in _MAIN.items():
        made[name] = {key: _figure(value) for key, value in zip(_SIX, figures)}
    for name, value in _VOC.items():
        made.setdefault(name, {})[VOC_MCQ, "accuracy"] = _figure(value)
    for name, files in _BY_KIND.items():
        for file, shares in files.items():
            made[name] |= {(file, kind): _figure(value) for kind, value in zip(_KINDS, shares)}
    rows = [Published(name, PAPER, False, figures) for name, figures in made.items()]
    for name, totals in _BLIND.items():
        rows.append(Published(name, MEASURED, True, {(f, "accuracy"): _figure(v) for f, v in totals.items()}))
    return rows


def published_file(task: Mapping[str, Any]) -> str:
    """The published file that a task of results.json was made of; "" where it is none of them."""
    file = PurePath(task.get("source", {}).get("file", "")).name
    return file if any(file == known for row in published_rows() for known, _ in row.figures) else ""


def subset_note(task: Mapping[str, Any]) -> str:
    """What keeps a task from being compared with figures of the whole file: rows that were left out; or ""."""
    source = task.get("source", {})
    rows, skipped = source.get("rows", 0), source.get("skipped", 0)
    return f"on a subset of {rows - skipped:,} of {rows:,} rows: not comparable" if skipped else ""


def _figure(per_cent: float | tuple[float, float]) -> Figure:
    low, high = per_cent if isinstance(per_cent, tuple) else (per_cent, per_cent)
    return round(low / 100, 4), round(high / 100, 4)
