"""Pictures with their questions, and what each run picked."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from negjax.datasets.reading import Set
from negjax.errors import NegjaxError
from negjax.evaluation.runs import Run
from negjax.media.images import decode

SIDE = 144  # pixels of a thumbnail's longer side
OUTCOMES = {  # (right in the first run, right in the last) -> how it is called, and how many of a kind are shown
    (False, True): ("wrong at first, right at last", 2),
    (False, False): ("wrong in both", 1),
    (True, False): ("right at first, wrong at last", 1),
    (True, True): ("right in both", 1),
}


@dataclass(frozen=True)
class Card:
    """A question to show. picks: run -> the index of the option it scored highest."""

    image: str
    kind: str
    outcome: str
    options: list[str]
    answer: int
    picks: dict[str, int]


def cards(runs: Sequence[Run], data: Set) -> tuple[list[Card], dict[str, int]]:
    """Some questions of each kind of answer and each of OUTCOMES, and how often each outcome came.

    Within a kind and outcome the questions are taken at even distances through the set, so nobody chose them.
    Raises NegjaxError when predictions and set do not belong together.
    """
    predictions = {run.name: run.predictions(data.name) for run in runs}
    rows = list(predictions.values())
    for name, others in predictions.items():
        for one, other in zip(rows[0], others):
            if any(one[key] != other[key] for key in ("id", "kind", "answer")):
                raise NegjaxError(
                    f"the predictions of {name} and {runs[0].name} for {data.name} differ in question "
                    f"{other['id']}: evaluate both again on one set"
                )
    if len(rows[0]) != len(data):
        raise NegjaxError(f"set {data.name} has {len(data)} rows, its predictions {len(rows[0])}: evaluate again")
    found: dict[tuple[str, tuple[bool, bool]], list[int]] = {}
    for index, (first, last) in enumerate(zip(rows[0], rows[-1])):
        outcome = first["predicted"] == first["answer"], last["predicted"] == last["answer"]
        found.setdefault((first["kind"], outcome), []).append(index)
    shown = []
    for kind in dict.fromkeys(kind for kind, _ in found):
        for outcome, (name, count) in OUTCOMES.items():
            places = found.get((kind, outcome), [])
            for index in places[:: max(1, len(places) // count)][:count]:
                shown.append(_card(data, index, kind, name, predictions))
    counts = {name: 0 for name, _ in OUTCOMES.values()}
    for (_, outcome), places in found.items():
        counts[OUTCOMES[outcome][0]] += len(places)
    return shown, counts


def _card(data: Set, index: int, kind: str, outcome: str, predictions: dict[str, list[dict[str, str]]]) -> Card:
    row = data[index]
    for name, rows in predictions.items():
        if (int(rows[index]["id"]), int(rows[index]["answer"])) != (row["id"], row["answer"]):
            raise NegjaxError(f"the predictions of {name} are not for this set {data.name}: evaluate again")
    image = decode(row["media"], f"set {data.name}, row {row['id']}")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=85)
    picks = {name: int(rows[index]["predicted"]) for name, rows in predictions.items()}
    source = f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
    return Card(source, kind, outcome, row["options"], row["answer"], picks)
