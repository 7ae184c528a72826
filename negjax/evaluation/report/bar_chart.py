"""Grouped bars as SVG, with the blind figure marked on each bar and levels that all runs share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

from negjax.evaluation.report.chart import COLOURS, new_axes, svg_style, to_svg

HATCHES = ("", "///", "...")  # for the runs after the last colour
LINE_STYLES = ("-", "--", "-.", ":")
LEVEL_COLOUR = "#b00020"
MAX_NUMBERED_RUNS = 6  # with more runs the bars are too narrow for a number on each
LABEL_CLEARANCE = 0.07  # a number this close to the blind mark moves above it

GroupValues = Sequence[float | None]  # a figure in [0, 1] for each group of bars; None for no bar


@dataclass(frozen=True)
class _RunBars:
    """The bars of a run.

    Attributes:
        name: Name of the run.
        style_index: The run's place among all runs: its colour.
        x: Centre of the bar in each group.
        values: Height of the bar in each group.
        blind: The mark on the bar in each group.
    """

    name: str
    style_index: int
    x: list[float]
    values: GroupValues
    blind: GroupValues


def bar_chart(
    groups: Sequence[str],
    series: Mapping[str, GroupValues],
    blind: Mapping[str, GroupValues] | None = None,
    chance: float = 0.0,
    levels: Mapping[str, GroupValues] | None = None,
) -> str:
    """Draws grouped bars.

    Args:
        groups: Label of each group.
        series: Run -> its figures, a bar in each group. A run without any figure is left out; the others keep their
            colours.
        blind: Run -> its blind figures, drawn as marks on the bars.
        chance: Where a line is drawn across the chart; 0 for none.
        levels: Name -> figures that are the same for all runs, each a short line across its group.

    Returns:
        The SVG.
    """
    blind, levels = blind or {}, levels or {}
    shown = [
        (index, name, values)
        for index, (name, values) in enumerate(series.items())
        if any(value is not None for value in values)
    ]
    width = 0.8 / len(shown)  # of a bar; groups are 1 apart
    inches = max(5.8, 1.0 + max(0.95, 0.1 + 0.19 * len(shown)) * len(groups))  # two narrow charts fit side by side
    with svg_style():
        figure, axes = new_axes(inches, 3.4)
        for slot, (index, name, values) in enumerate(shown):
            x = [group - 0.4 + width * (slot + 0.5) for group in range(len(groups))]
            run_bars = _RunBars(name, index, x, values, blind.get(name) or [None] * len(values))
            _draw_bars(axes, run_bars, width, numbered=len(shown) <= MAX_NUMBERED_RUNS)
        if any(value is not None for values in blind.values() for value in values):
            axes.plot([], [], "D", color="black", markersize=5, label="the same model, blind")
        for (name, values), style in zip(levels.items(), LINE_STYLES):
            _draw_level(axes, name, values, style)
        if chance:
            axes.axhline(chance, color="#666666", linewidth=1, linestyle=":", label="chance")
        _format_axes(axes, groups)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=8)
        return to_svg(figure)


def _draw_bars(axes: Axes, run: _RunBars, width: float, *, numbered: bool) -> None:
    """A bar in each group, its number and its blind mark."""
    label = f" {run.name}" if run.name.startswith("_") else run.name  # Matplotlib hides labels that begin with _
    bars = axes.bar(run.x, [value or 0 for value in run.values], 0.92 * width, label=label)
    for bar, x, value, blind in zip(bars, run.x, run.values, run.blind):
        bar.set(facecolor=COLOURS[run.style_index % len(COLOURS)], edgecolor="white", linewidth=0)
        bar.set_hatch(HATCHES[run.style_index // len(COLOURS) % len(HATCHES)])
        if value is not None and numbered:
            y = value if blind is None or abs(blind - value) > LABEL_CLEARANCE else max(blind, value) + 0.02
            number = axes.annotate(f"{100 * value:.0f}", (x, y), ha="center", va="bottom", fontsize=8)
            number.set(zorder=4, path_effects=[withStroke(linewidth=2, foreground="white")])
    marks = [(x, blind) for x, blind in zip(run.x, run.blind) if blind is not None]
    if marks:
        axes.plot(*zip(*marks), "D", color="black", markeredgecolor="white", markersize=5, zorder=3)


def _draw_level(axes: Axes, name: str, values: GroupValues, style: str) -> None:
    """A short line across each group that has a value."""
    spans = [(group, value) for group, value in enumerate(values) if value is not None]
    for group, value in spans:
        ends = [group - 0.44, group + 0.44]
        axes.plot(ends, [value, value], style, color=LEVEL_COLOUR, linewidth=1.4, zorder=2.5)
    if spans:
        axes.plot([], [], style, color=LEVEL_COLOUR, linewidth=1.4, label=name)


def _format_axes(axes: Axes, groups: Sequence[str]) -> None:
    """Per cent upwards, the groups' labels below."""
    axes.set_ylim(0, 1.1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
