"""What the other sections leave out: every figure, and what was evaluated with what."""

from collections.abc import Sequence
from html import escape

from negjax.evaluation.report.page.html import breakable, details, interval, per_cent, section, wide
from negjax.evaluation.report.published import Published, published_file, published_rows, subset_note
from negjax.evaluation.report.runs import Run, having, kinds_of_tasks


def models_section(runs: Sequence[Run]) -> str:
    """A line for each run."""
    rows = "".join(f"<tr><td>{escape(run.name)}</td>{''.join(map(_td, _model(run)))}</tr>" for run in runs)
    head = (
        "<tr><th>run</th><th>architecture</th><th>activation</th><th>weights</th><th>sha256</th><th>software</th></tr>"
    )
    return section("models", "Models", wide(f"<table>{head}{rows}</table>"))


def _model(run: Run) -> tuple[str, ...]:
    model, software = run.results["model"], run.results["software"]
    activation, trained = model.get("activation", ""), model.get("activation_of_weights", "")
    step = f", step {model['step']}" if model.get("step") is not None else ""
    return (
        str(model.get("arch", "")),
        f"{activation} (the weights': {trained})" if trained and trained != activation else str(activation),
        f"{model.get('source', '')}{step}",
        str(model.get("sha256", ""))[:12],
        ", ".join(f"{name} {software[name]}" for name in ("negjax", "jax") if name in software),
    )


def _td(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def details_section(runs: Sequence[Run]) -> str:
    """All metrics of all tasks with all their blind figures, and all that is known of models and software."""
    parts = []
    for task, kind in kinds_of_tasks(runs).items():
        tasks = [run.tasks[task] for run in having(runs, task)]
        said = f"{kind}, n = {max(each['n'] for each in tasks):,}"
        parts.append(details(task, said, _task(runs, task)))
    for run in runs:
        rows = "".join(
            f"<tr><th>{escape(str(key))}</th><td><code>{escape(str(value))}</code></td></tr>"
            for part in ("model", "software")
            for key, value in run.results[part].items()
        )
        parts.append(details(run.name, "model and software", wide(f"<table>{rows}</table>")))
    return section("everything", "Everything", *parts)


def _task(runs: Sequence[Run], task: str) -> str:
    tasks = [run.tasks[task] for run in having(runs, task)]
    file = next(filter(None, map(published_file, tasks)), "")
    subset = next(filter(None, map(subset_note, tasks)), "")
    beside = [row for row in published_rows() if any(known == file for known, _ in row.figures)]
    head = "".join(f"<th>{escape(run.name)}</th>" for run in runs)
    head += "".join(f'<th class="published">{escape(row.name)}</th>' for row in beside)
    metrics = dict.fromkeys(metric for each in tasks for metric in each["metrics"])
    rows = "".join(
        f"<tr><th>{breakable(metric)}</th>{''.join(_cell(run, task, metric) for run in runs)}"
        f"{''.join(_published(row, file, metric) for row in beside)}</tr>"
        for metric in metrics
    )
    warning = f'<p class="note warn">published figures: {escape(subset)}</p>' if beside and subset else ""
    return warning + wide(f"<table><tr><th></th>{head}</tr>{rows}</table>")


def _cell(run: Run, task: str, metric: str) -> str:
    value, ci95 = run.figure(task, metric), run.interval(task, metric)
    if value is None:
        return "<td></td>"
    lines = [per_cent(value, 2)]
    if ci95 is not None:
        lines.append(f"<span>{interval(ci95, 2)}</span>")
    for kind in run.tasks[task]["blind"]:
        blind = run.blind(task, metric, kind)
        if blind is not None:
            lines.append(f"<span>{escape(kind)} {per_cent(blind, 2)}</span>")
    return f"<td>{''.join(lines)}</td>"


def _published(row: Published, file: str, metric: str) -> str:
    if (file, metric) not in row.figures:
        return "<td></td>"
    low, high = row.figures[file, metric]
    return f'<td class="published">{per_cent(low)}{f"–{per_cent(high)}" if high != low else ""}</td>'
