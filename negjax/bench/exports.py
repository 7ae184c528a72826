"""What a comparison needs: the weights for open_clip, sets that hold exactly one batch, and all inputs as plain files.

A batch is the whole set and each of its rows has one caption, so that both sides compute the same step, in whatever
order the pipeline reads the rows. Texts and images are handed over as they are: each side prepares its own inputs.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from negjax.bench.drawn import draw_training_rows, write_training_set
from negjax.bench.measures.setup import bench_experiment, open_tasks
from negjax.bench.settings import NEGFULL_PAIRS, PAIRS, QUESTIONS, SHARED, BenchSettings
from negjax.bench.whole import METRICS
from negjax.config import Source
from negjax.datasets.records import Record
from negjax.errors import NegjaxError
from negjax.evaluation.prepare import prepare_eval_data
from negjax.experiment import initial_model
from negjax.weights.write import write_open_clip

NEGATED_EVERY = 4  # of so many captions of NegFull all but one are negated


def write_exports(settings: BenchSettings) -> None:
    """Writes FOLDER/weights, the sets of the compared steps, and FOLDER/export.

    Raises:
        NegjaxError: open_clip does not compute this model, or a task is of a kind that is not compared.
    """
    folder = Path(settings.folder, "export")
    folder.mkdir()
    model = initial_model(bench_experiment(settings, {"train": Source(PAIRS, settings.batch, contrastive=1.0)}))
    write_open_clip(model, Path(settings.folder, "weights"))
    _export_tasks(settings, folder)
    data = prepare_eval_data(open_tasks(settings), model.preprocess, blind_texts=False, progress=False)
    origins = data.images.origins[: settings.images]
    media = [_save(folder, f"encode-{i}", each.data[each.row_index]["media"]) for i, each in enumerate(origins)]
    (folder / "encode.json").write_text(json.dumps({"images": media, "captions": data.captions[: settings.captions]}))
    sizes = {PAIRS: settings.batch}
    sizes |= dict.fromkeys((NEGFULL_PAIRS, QUESTIONS, SHARED), settings.negfull_batch)
    for number, (name, size) in enumerate(sizes.items()):
        rng = np.random.default_rng([settings.seed, 2, number])
        rows = list(_one_caption(draw_training_rows(size, 1, rng), negated=name != PAIRS))
        write_training_set(settings.folder, name, rows)
        exported = [
            {
                "image": _save(folder, f"{name}-{i}", row["media"]),
                "caption": row["captions"][0],
                "options": row["options"],
                "answer": row["answer"],
            }
            for i, row in enumerate(rows)
        ]
        (folder / f"{name}.json").write_text(json.dumps(exported))


def _one_caption(rows: Iterator[Record], *, negated: bool) -> Iterator[Record]:
    """The rows with their negated caption in place of the other, all but one of NEGATED_EVERY, where `negated`."""
    for number, row in enumerate(rows):
        yield row | {"captions": row["negated_captions"]} if negated and number % NEGATED_EVERY else row


def _export_tasks(settings: BenchSettings, folder: Path) -> None:
    tasks: list[Mapping[str, Any]] = []
    for data in open_tasks(settings):
        kind = data.metadata["task_kind"]
        if kind not in METRICS:
            raise NegjaxError(f"--tasks: {data.name} is of kind {kind}; compared are {', '.join(METRICS)}")
        rows = []
        for index in range(len(data)):
            record = data[index]
            file = folder / record["media_sha256"]
            if not file.exists():
                file.write_bytes(record["media"])
            texts = {"texts": record["options"], "answer": record["answer"]} if kind == "mcq" else {}
            rows.append({"image": str(file), "texts": record.get("captions"), **texts})
        tasks.append({"name": data.name, "kind": kind, "rows": rows})
    (folder / "tasks.json").write_text(json.dumps(tasks))


def _save(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)
