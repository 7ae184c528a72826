"""Evaluations as one page for people: figures beside their blind ones, charts, pictures. No network, no script."""

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from etils import epath

from negjax.datasets.store import open_set
from negjax.evaluation.charts import bars
from negjax.evaluation.gallery import Card, cards
from negjax.evaluation.runs import Run, by_kind, kinds_of_tasks, main_figures, question_tasks, read_runs
from negjax.runtime.files import write_atomic

HOW_TO_READ = (
    "Figures are per cent, in brackets their 95 % interval; changes are against the first run. “Blind” is what the "
    "same model scores when every image is replaced by the mean image of the task: what the text alone gives away. "
    "The gain over blind, what a model has from looking, is the figure less its blind one."
)


def write_report(
    runs: Sequence[epath.PathLike],
    out: epath.PathLike,
    *,
    title: str,
    data_dir: epath.PathLike | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Writes one self-contained HTML file about the folders `runs`, which `negjax eval` wrote, in this order.

    data_dir: where the sets are, to show their pictures; None leaves the pictures out. notes: paragraphs put below
    the title. Raises NegjaxError for folders that hold no whole evaluation, or of other data than data_dir's.
    """
    read = read_runs(runs)
    sections = [*(f"<p>{escape(note)}</p>" for note in notes), _headline(read), _charts(read)]
    if data_dir is not None:
        sections += [_pictures(read, name, data_dir) for name in question_tasks(read)]
    sections.append(_details(read))
    top, bottom = files("negjax").joinpath("assets/report.html").read_text().split("{body}")
    write_atomic(out, "\n".join([top.replace("{title}", escape(title)), *sections, bottom]))


def _headline(runs: list[Run]) -> str:
    figures = main_figures(runs)
    head = "".join(f"<th>{_breakable(task)}<small>{_breakable(metric)}</small></th>" for task, metric in figures)
    rows = []
    for run in runs:
        cells = "".join(_cell(run, runs[0], task, metric) for task, metric in figures)
        rows.append(f"<tr><th>{escape(run.name)}</th>{cells}</tr>")
    return (
        f'<div class="wide"><table class="headline"><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
        f'<p class="note">{HOW_TO_READ}</p>'
    )


def _cell(run: Run, first: Run, task: str, metric: str) -> str:
    value, base, blind = run.figure(task, metric), first.figure(task, metric), run.blind(task, metric)
    if value is None:
        return "<td></td>"
    lines = [f"<b>{_per_cent(value)}</b>"]
    if metric in run.tasks[task]["ci95"]:
        low, high = run.tasks[task]["ci95"][metric]
        lines.append(f"<span>[{_per_cent(low)}–{_per_cent(high)}]</span>")
    if run is not first and base is not None:
        change = 100 * (value - base)
        colour = "" if _signed(change)[1:] == "0.0" else "up" if change > 0 else "down"
        lines.append(f'<span class="{colour}">{_signed(change)} points</span>')
    if blind is not None:
        lines.append(f"<span>blind {_per_cent(blind)}</span>")
        lines.append(f"<span>gain over blind {_signed(100 * (value - blind))}</span>")
    return f"<td>{''.join(lines)}</td>"


def _charts(runs: list[Run]) -> str:
    made = []
    questions = question_tasks(runs)
    for task in questions:
        metrics = by_kind(runs, task)
        groups = [metric.removesuffix("_accuracy").replace("accuracy", "all") for metric in metrics]
        having = _having(runs, task)
        options = sum(key.startswith("score_") for key in having[0].predictions(task)[0])
        svg = bars(
            groups,
            {run.name: [run.figure(task, metric) for metric in metrics] for run in having},
            {run.name: [run.blind(task, metric) for metric in metrics] for run in having},
            chance=1 / options,
        )
        made.append(_chart(f"{task}: accuracy by kind of answer", svg))
    others = [(task, metric) for task, metric in main_figures(runs) if task not in questions]
    if others:
        svg = bars(
            [f"{task}\n{metric.replace('image_retrieval_recall', 'recall')}" for task, metric in others],
            {run.name: [run.figure(*each) for each in others] for run in runs},
        )
        made.append(_chart("retrieval and naming", svg))
    return f'<h2>By kind of answer</h2><div class="charts">{"".join(made)}</div>'


def _chart(caption: str, svg: str) -> str:
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    return f'<figure><figcaption>{escape(caption)}</figcaption><img src="{source}" alt="{escape(caption)}"></figure>'


def _having(runs: list[Run], task: str) -> list[Run]:
    return [run for run in runs if task in run.tasks]


def _pictures(runs: list[Run], task: str, data_dir: epath.PathLike) -> str:
    having = _having(runs, task)
    shown, counts = cards(having, open_set(data_dir, task))
    between = f"{having[0].name} (first) and {having[-1].name} (last)" if len(having) > 1 else having[0].name
    total = sum(counts.values())
    said = "; ".join(f"{name}: {count:,} of {total:,}" for name, count in counts.items() if count)
    return (
        f"<h2>{escape(task)}: what was picked</h2>"
        f'<p class="note">{escape(between)}. {escape(said)}. Shown are questions at even distances through the set, '
        "for each kind of answer and each outcome. The right caption is bold; a run stands beside its pick, "
        "with ✓ where that is right and ✗ where it is wrong.</p>"
        f'<div class="cards">{"".join(_card(card) for card in shown)}</div>'
    )


def _card(card: Card) -> str:
    options = []
    for number, text in enumerate(card.options):
        right = number == card.answer
        chips = "".join(
            f'<span class="chip {"good" if right else "bad"}">{"✓" if right else "✗"} {escape(name)}</span>'
            for name, pick in card.picks.items()
            if pick == number
        )
        options.append(f'<li class="{"right" if right else ""}">{escape(text)}{chips}</li>')
    return (
        f'<div class="card"><img src="{card.image}" alt=""><div><small>{escape(card.kind)} · {escape(card.outcome)}'
        f"</small><ul>{''.join(options)}</ul></div></div>"
    )


def _details(runs: list[Run]) -> str:
    head = "".join(f"<th>{escape(run.name)}</th>" for run in runs)
    parts = ["<h2>Everything</h2>"]
    for task, kind in kinds_of_tasks(runs).items():
        metrics = dict.fromkeys(metric for run in _having(runs, task) for metric in run.tasks[task]["metrics"])
        rows = "".join(
            f"<tr><th>{escape(metric)}</th>{''.join(_full_cell(run, task, metric) for run in runs)}</tr>"
            for metric in metrics
        )
        n = max(run.tasks[task]["n"] for run in _having(runs, task))
        parts.append(
            f"<details><summary>{escape(task)} <small>{escape(kind)}, n = {n:,}</small></summary>"
            f'<div class="wide"><table><tr><th></th>{head}</tr>{rows}</table></div></details>'
        )
    for run in runs:
        rows = "".join(
            f"<tr><th>{escape(str(key))}</th><td><code>{escape(str(value))}</code></td></tr>"
            for part in ("model", "software")
            for key, value in run.results[part].items()
        )
        parts.append(
            f"<details><summary>{escape(run.name)} <small>model and software</small></summary>"
            f'<div class="wide"><table>{rows}</table></div></details>'
        )
    return "".join(parts)


def _full_cell(run: Run, task: str, metric: str) -> str:
    value = run.figure(task, metric)
    if value is None:
        return "<td></td>"
    lines = [_per_cent(value, 2)]
    if metric in run.tasks[task]["ci95"]:
        low, high = run.tasks[task]["ci95"][metric]
        lines.append(f"<span>[{_per_cent(low, 2)}–{_per_cent(high, 2)}]</span>")
    for kind in run.tasks[task]["blind"]:
        blind = run.blind(task, metric, kind)
        if blind is not None:
            lines.append(f"<span>{escape(kind)} {_per_cent(blind, 2)}</span>")
    return f"<td>{''.join(lines)}</td>"


def _breakable(name: str) -> str:
    """The name with places where a narrow column may break it."""
    return escape(name).replace("_", "_<wbr>").replace("@", "<wbr>@")


def _per_cent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def _signed(points: float) -> str:
    points = round(points, 1)
    return f"{'−' if points < 0 else '+'}{abs(points):.1f}"
