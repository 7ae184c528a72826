"""Samples of a set as one HTML file that needs no network: pictures, texts, what is claimed, and a detector's boxes."""

import base64
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from etils import epath
from markupsafe import Markup

from negjax.datasets.records import Record
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.synth.shards import StageRow, read_stage
from negjax.errors import NegjaxError
from negjax.evaluation.report.page import make_environment
from negjax.media.thumbnails import picture_of, to_webp
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path

_PICTURE_SIDE = 320  # pixels of the longer side
BOXES = "boxes: what the detector saw, green if it is claimed to be there, else orange: such a claim was dropped"


@dataclass(frozen=True)
class Text:
    """A text of a sample. mark: "right" or "wrong" for an option, else ""; note: its kind, "" for none."""

    text: str
    mark: str = ""
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """A row of the set, as the page shows it.

    Attributes:
        id: of the record.
        picture: the source of an <img>.
        texts: heading -> texts.
        present: objects that are claimed to be there.
        absent: objects that are claimed not to be there.
        boxes: objects that a detector saw, with "left", "top", "width" and "height" in per cent of the picture.
        checked_by: what checked the claims; "" where that is not known.
    """

    id: int
    picture: str
    texts: Mapping[str, Sequence[Text]]
    present: Sequence[str]
    absent: Sequence[str]
    boxes: Sequence[Mapping[str, Any]]
    checked_by: str


def write_preview(
    data_dir: epath.PathLike, name: str, html: epath.PathLike, *, count: int = 24, synth: epath.PathLike | None = None
) -> int:
    """Writes the page.

    Args:
        data_dir: the folder of the sets.
        name: the set.
        html: the file; its name ends in .html.
        count: number of rows to show, at equal distances.
        synth: the folder of the stages of `negjax synth` that made the set, for boxes; None without.

    Returns:
        The number of rows that are shown.

    Raises:
        NegjaxError: there is no such set, it is damaged, or is not of that folder; or the name has another ending.
    """
    target = to_path(html)
    if target.suffix != ".html":
        raise NegjaxError(f"the page would be written to {html}: give a name that ends in .html")
    if count < 1:
        raise NegjaxError(f"--count {count}: give 1 or more")
    data = open_set(data_dir, name)
    indices = np.unique(np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(int)).tolist()
    records = [data[index] for index in indices]
    checked = [None] * len(records) if synth is None else _stage_rows(data_dir, data, records, synth)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        pictures = list(threads.map(lambda record: _picture(data, record), records))
    samples = [
        describe_sample(record, data.metadata, picture, row) for record, picture, row in zip(records, pictures, checked)
    ]
    assets = files("negjax").joinpath("assets/preview")
    page = make_environment("assets/preview").get_template("preview.html.jinja")
    write_atomic(
        target,
        page.render(
            title=name,
            facts=_facts(data, len(samples)) + ([BOXES] if any(sample.boxes for sample in samples) else []),
            samples=samples,
            style=Markup(assets.joinpath("preview.css").read_text(encoding="utf-8")),
        ),
    )
    return len(samples)


def describe_sample(
    record: Record, metadata: Mapping[str, Any], picture: str, checked: StageRow | None = None
) -> Sample:
    """What the page shows of a record.

    Args:
        record: the record.
        metadata: of its set.
        picture: the source of an <img>.
        checked: the row of stage verify of its image, if that is known.
    """
    texts: dict[str, list[Text]] = {}
    if record.get("captions"):
        texts["captions"] = [Text(caption) for caption in record["captions"]]
    if record.get("negated_captions"):
        texts["negated captions"] = [Text(caption) for caption in record["negated_captions"]]
    if "options" in record:
        kinds = record["option_kinds"] or [""] * len(record["options"])
        marks = ["right" if n == record["answer"] else "wrong" for n in range(len(record["options"]))]
        texts["options"] = [Text(*option) for option in zip(record["options"], marks, kinds)]
    if "label" in record:
        texts["class"] = [Text(metadata["classnames"][record["label"]])]
    boxes = checked["boxes"] or () if checked else ()
    return Sample(
        record["id"],
        picture,
        texts,
        record.get("positive_objects", ()),
        record.get("negative_objects", ()),
        [_percent(box) for box in boxes],
        checked["checked_by"] if checked else "",
    )


def _percent(box: Mapping[str, Any]) -> dict[str, Any]:
    left, top, right, bottom = (100 * box[side] for side in ("left", "top", "right", "bottom"))
    sides = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"name": box["name"], "score": f"{box['score']:.2f}"} | {key: f"{side:.2f}" for key, side in sides.items()}


def _stage_rows(
    data_dir: epath.PathLike, data: StoredSet, records: Sequence[Record], synth: epath.PathLike
) -> list[StageRow | None]:
    """The row of stage verify of each record's image: records of NAME_train and NAME_test have its id, those of sets
    that are derived from these the same image."""
    base = data.metadata.get("source", {}).get("derived_from")
    if base:
        id_of_image = _find_images(open_set(data_dir, base), {record["media_sha256"] for record in records})
        ids = [id_of_image.get(record["media_sha256"], -1) for record in records]
    else:
        ids = [record["id"] for record in records]
    wanted = set(ids)
    rows = {row["id"]: row for row in read_stage(synth, "verify") if row["id"] in wanted}
    for record, row_id in zip(records, ids):
        captions = record.get("captions", ()) if not base else ()
        if row_id not in rows or list(captions) != rows[row_id]["captions"][: len(captions)]:
            raise NegjaxError(f"set {data.name} is not of the stages in {synth}: give their --out as --synth")
    return [rows[row_id] for row_id in ids]


def _find_images(data: StoredSet, wanted: set[str]) -> dict[str, int]:
    """The id of the first record with each image."""
    ids: dict[str, int] = {}
    for record in data.rows():
        if record["media_sha256"] in wanted:
            ids.setdefault(record["media_sha256"], record["id"])
            if len(ids) == len(wanted):
                break
    return ids


def _picture(data: StoredSet, record: Record) -> str:
    is_clip = data.metadata.get("media_type") == "video"
    picture = picture_of(record["media"], f"set {data.name}, row {record['id']}", is_clip=is_clip)
    return f"data:image/webp;base64,{base64.b64encode(to_webp(picture, _PICTURE_SIDE)).decode()}"


def _facts(data: StoredSet, shown: int) -> list[str]:
    kind, negated = data.metadata["task_kind"], "with negation" if data.metadata["negated"] else "without negation"
    facts = [f"{shown:,} of {len(data):,} rows, at equal distances; kind {kind}, {negated}"]
    if file := data.metadata.get("source", {}).get("file"):
        facts.append(f"made of {file}")
    if labels := data.metadata.get("labels"):
        facts.append(f"its labels are {labels}")
    return facts
