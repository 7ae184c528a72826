"""Section "Retrieval: what is found last": the captions whose own image is ranked worst."""

from collections.abc import Sequence
from dataclasses import dataclass

from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.fingerprint import SetFingerprint
from negjax.evaluation.report.asked_sets import check_set
from negjax.evaluation.report.runs import Run, runs_with_task
from negjax.evaluation.report.thumbnails import make_thumbnails
from negjax.evaluation.tasks.kind import PredictionRow
from negjax.runtime.progress import no_progress, track_progress

MAX_CAPTIONS = 12  # of a task


@dataclass(frozen=True)
class WorstCaption:
    """A caption and the rank of its image.

    Attributes:
        caption: The text.
        thumbnail: The image, as a WebP in base64.
        ranks: The image's rank in each run, as the predictions give it; "" for a run without this caption.
    """

    caption: str
    thumbnail: str
    ranks: list[str]


@dataclass(frozen=True)
class WorstCaptions:
    """The table of a retrieval task.

    Attributes:
        task: Name of the task.
        caption_count: Captions of the task.
        runs: Names of the runs that have the task.
        captions: The worst captions of the last run, worst first.
    """

    task: str
    caption_count: int
    runs: list[str]
    captions: list[WorstCaption]


def worst_captions(runs: Sequence[Run], dataset: StoredSet) -> WorstCaptions:
    """Finds the captions of a retrieval task whose image is ranked worst in the last run that has the task.

    Raises:
        NegjaxError: The predictions are not for this set, or an image cannot be read.
    """
    runs = runs_with_task(runs, dataset.name)
    fingerprint = SetFingerprint(dataset)
    with track_progress(len(dataset), f"reading {dataset.name}") as advance:
        for record in dataset.rows():
            fingerprint.add(record)
            advance(1)
    check_set(runs, dataset.name, fingerprint.sums())
    rank_by_caption = [{row["caption_id"]: row["rank"] for row in run.predictions(dataset.name)} for run in runs]
    rows = runs[-1].predictions(dataset.name)
    row_index = {image_id: index for index, image_id in enumerate(dict.fromkeys(row["image_id"] for row in rows))}
    first_caption: dict[str, int] = {}
    for row in rows:
        first_caption.setdefault(row["image_id"], int(row["caption_id"]))
    worst_rows = sorted(rows, key=lambda row: -int(row["rank"]))[:MAX_CAPTIONS]
    image_ids = [row["image_id"] for row in worst_rows]
    thumbnails = make_thumbnails(dataset, {image_id: row_index[image_id] for image_id in image_ids}, no_progress)
    captions = [
        WorstCaption(
            _read_caption(dataset, row_index[image_id], row, int(row["caption_id"]) - first_caption[image_id]),
            thumbnails[image_id],
            [ranks.get(row["caption_id"], "") for ranks in rank_by_caption],
        )
        for row, image_id in zip(worst_rows, image_ids)
    ]
    caption_count = runs[-1].tasks[dataset.name]["n"]
    return WorstCaptions(dataset.name, caption_count, [run.name for run in runs], captions)


def _read_caption(dataset: StoredSet, row_index: int, row: PredictionRow, caption_index: int) -> str:
    if row_index < len(dataset):
        record = dataset[row_index]
        if str(record["id"]) == row["image_id"] and caption_index < len(record["captions"]):
            return record["captions"][caption_index]
    raise NegjaxError(
        f"the predictions for {dataset.name} are not for this set (image {row['image_id']}): evaluate again"
    )
