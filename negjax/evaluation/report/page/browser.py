"""The browser of questions: what it shows as data in the page; assets/report.js draws it.

Columns, not records, and each text and picture once: 10,000 questions must stay small and quick.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from negjax.datasets.stored.reading import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.report.page.html import note, section
from negjax.evaluation.report.page.thumbnails import thumbnails
from negjax.evaluation.report.runs import PredictionRow, Run, having
from negjax.runtime.progress import counter

WRONG, RIGHT, TIED = "wrong", "right", "tied"
CODES = {WRONG: 0, RIGHT: 1, TIED: 2}
DIGITS = 4  # of a score; each is written as a whole number of 1e-4
HOW_TO_READ = (
    "The right option has a bar beside it. A run's pick is marked ✓ where it is right, ✗ where it is wrong, = where it "
    "ties with others; the numbers are cosines. Keys: / search, ← → turn pages, j k from question to question. "
    "The address follows what is chosen, so that it can be kept and sent."
)
WITHOUT = (
    "Pictures and options are in the data sets, and no --data-dir was given: negjax report RUN ... --data-dir DIR adds "
    "a browser of all questions."
)


class _Numbered:
    """Gives each new thing the next number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, thing: str) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))


def browser_section(runs: Sequence[Run], sets: Sequence[StoredSet] | None) -> str:
    """The browser's place and its data. sets: one for each question task; None where there is no data folder.

    Raises NegjaxError when predictions and sets do not belong together, or a picture cannot be read.
    """
    if sets is None:
        return section("browser", "Questions", note(WITHOUT))
    if not sets:
        return ""
    texts, pictures = _Numbered(), _Numbered()
    tasks, sources = [], []
    for data in sets:
        with counter(len(data), f"reading {data.name}") as done:
            seen = len(pictures.numbers)
            task, firsts = _task(having(runs, data.name), data, texts, pictures, done)
        tasks.append(task)
        sources.append((data, {key: firsts[key] for key in list(pictures.numbers)[seen:]}))
    made: dict[str, str] = {}
    with counter(len(pictures.numbers), "thumbnails") as done:
        for data, firsts in sources:
            made |= thumbnails(data, firsts, done)
    content = {"runs": [run.name for run in runs], "texts": list(texts.numbers), "tasks": tasks, "scale": 10**DIGITS}
    return section(
        "browser",
        "Questions",
        note(HOW_TO_READ),
        "<noscript><p>This part needs JavaScript; all above does not.</p></noscript>",
        '<div id="on.questions"></div>',
        _data("on.data", content),
        _data("on.thumbnails", [made[key] for key in pictures.numbers]),
    )


def _task(
    runs: list[Run], data: StoredSet, texts: _Numbered, pictures: _Numbered, done: Callable[[int], None]
) -> tuple[dict[str, Any], dict[str, int]]:
    """The columns of a task, and the first row of each of its pictures."""
    predictions = {run.name: run.predictions(data.name) for run in runs}
    _check(data, predictions)
    kinds = _Numbered()
    firsts: dict[str, int] = {}
    columns: dict[str, list[Any]] = {key: [] for key in ("id", "group", "kind", "answer", "image", "options", "cells")}
    for number in range(len(data)):
        row = data[number]
        for name, rows in predictions.items():
            if (int(rows[number]["id"]), int(rows[number]["answer"])) != (row["id"], row["answer"]):
                raise NegjaxError(f"the predictions of {name} are not for this set {data.name}: evaluate again")
        firsts.setdefault(row["media_sha256"], number)
        columns["id"].append(row["id"])
        columns["group"].append(row["group"])
        columns["kind"].append(kinds(row["kind"]))
        columns["answer"].append(row["answer"])
        columns["image"].append(pictures(row["media_sha256"]))
        columns["options"].append([texts(text) for text in row["options"]])
        columns["cells"].append([kinds(kind) for kind in row.get("option_kinds", ())])
        done(1)
    answers = {run.name: _answers(predictions[run.name]) for run in runs}
    grouped = 1 < len(set(columns["group"])) < len(data)
    return {"name": data.name, "kinds": list(kinds.numbers), "grouped": grouped, "runs": answers, **columns}, firsts


def _check(data: StoredSet, predictions: dict[str, list[PredictionRow]]) -> None:
    first, *others = predictions
    for name in others:
        for one, other in zip(predictions[first], predictions[name]):
            if any(one[key] != other[key] for key in ("id", "kind", "answer")):
                raise NegjaxError(
                    f"the predictions of {name} and {first} for {data.name} differ in question "
                    f"{other['id']}: evaluate both again on one set"
                )
    for rows in predictions.values():
        if len(rows) != len(data):
            raise NegjaxError(f"set {data.name} has {len(data)} rows, its predictions {len(rows)}: evaluate again")


def _answers(rows: list[PredictionRow]) -> dict[str, Any]:
    """What a run picked, how that ended (a digit of CODES for each question), and its scores."""
    scores = [[float(row[key]) for key in row if key.startswith("score_")] for row in rows]
    ends = [CODES[outcome(each, int(row["answer"]))] for each, row in zip(scores, rows)]
    return {
        "pick": [int(row["predicted"]) for row in rows],
        "end": "".join(map(str, ends)),
        "scores": [[round(score * 10**DIGITS) for score in each] for each in scores],
    }


def outcome(scores: Sequence[float], answer: int) -> str:
    """How a question ended: right only where the answer alone has the highest score."""
    best = max(scores)
    if scores[answer] < best:
        return WRONG
    return RIGHT if sum(score == best for score in scores) == 1 else TIED


def _data(name: str, content: Any) -> str:
    """JSON that HTML leaves alone, whatever texts it holds: no "<" can end the element or begin a comment."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'
