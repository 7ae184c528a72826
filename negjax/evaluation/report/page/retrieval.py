"""Captions that find their own picture worst."""

from collections.abc import Sequence
from html import escape

from negjax.datasets.stored.reading import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.report.page.html import details, note, section, wide
from negjax.evaluation.report.page.thumbnails import thumbnails
from negjax.evaluation.report.runs import PredictionRow, Run, having
from negjax.runtime.progress import ignore

SHOWN = 12
HOW_TO_READ = "The captions whose own picture comes latest in the last run: its rank in each run, 1 being first."


def worst_section(runs: Sequence[Run], sets: Sequence[StoredSet]) -> str:
    """A table for each of these sets of a retrieval task; "" where there is none.

    Raises NegjaxError when predictions and set do not belong together.
    """
    if not sets:
        return ""
    parts = []
    for data in sets:
        found = having(runs, data.name)
        n = found[-1].tasks[data.name]["n"]
        parts.append(details(data.name, f"{min(SHOWN, n)} of {n:,} captions", _table(found, data)))
    return section("worst", "Retrieval: what is found last", note(HOW_TO_READ), *parts)


def _table(runs: list[Run], data: StoredSet) -> str:
    ranks = {run.name: {row["caption_id"]: row["rank"] for row in run.predictions(data.name)} for run in runs}
    rows = runs[-1].predictions(data.name)
    places = {image: place for place, image in enumerate(dict.fromkeys(row["image_id"] for row in rows))}
    firsts: dict[str, int] = {}
    for row in rows:
        firsts.setdefault(row["image_id"], int(row["caption_id"]))
    worst = sorted(rows, key=lambda row: -int(row["rank"]))[:SHOWN]
    pictures = thumbnails(data, {row["image_id"]: places[row["image_id"]] for row in worst}, ignore)
    made = []
    for row in worst:
        image = row["image_id"]
        caption = _caption(data, places[image], row, int(row["caption_id"]) - firsts[image])
        cells = "".join(f"<td>{escape(ranks[run.name].get(row['caption_id'], ''))}</td>" for run in runs)
        source = f"data:image/webp;base64,{pictures[image]}"
        made.append(f'<tr><td><img src="{source}" alt=""></td><td class="said">{escape(caption)}</td>{cells}</tr>')
    head = "".join(f"<th>{escape(run.name)}</th>" for run in runs)
    return wide(f'<table class="figures"><tr><th></th><th>caption</th>{head}</tr>{"".join(made)}</table>')


def _caption(data: StoredSet, place: int, row: PredictionRow, number: int) -> str:
    if place < len(data):
        record = data[place]
        if str(record["id"]) == row["image_id"] and number < len(record["captions"]):
            return record["captions"][number]
    raise NegjaxError(f"the predictions for {data.name} are not for this set (image {row['image_id']}): evaluate again")
