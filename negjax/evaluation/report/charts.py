"""Charts as SVG: bars with the blind figure marked on each, and sentences as points of a plane."""

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito: told apart by all eyes

HATCHES = ("", "///", "...")  # once the colours are used up
MARKERS = ("o", "X", "s", "^", "D", "v")
MOST_NUMBERED = 6  # with more runs than this the bars are too narrow for a number on each

Values = Sequence[float | None]  # one for each group of bars, in [0, 1]


@dataclass(frozen=True)
class Point:
    """A sentence: what it speaks of, the template it was made from, where it lies."""

    object: str
    template: str
    x: float
    y: float


def bars(
    groups: Sequence[str],
    series: dict[str, Values],
    blind: dict[str, Values] | None = None,
    chance: float = 0.0,
    levels: Mapping[str, Values] | None = None,
) -> str:
    """An SVG of grouped bars. series: run -> its bar in each group. blind: the same, drawn as marks on the bars.

    chance: where a line is drawn; 0 for none. levels: name -> a figure of each group that is the same for all runs,
    drawn as a short line across the group. A run without any figure is left out, but the others keep their colours.
    """
    shown = [(number, *each) for number, each in enumerate(series.items()) if any(x is not None for x in each[1])]
    count = len(shown)
    wide = max(5.8, 1.0 + max(0.95, 0.1 + 0.19 * count) * len(groups))  # inches; two of the least stand side by side
    with _style():
        figure = Figure(figsize=(wide, 3.4), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / count
        for place, (number, name, values) in enumerate(shown):
            places = [group - 0.4 + width * (place + 0.5) for group in range(len(groups))]
            drawn = axes.bar(places, [value or 0 for value in values], 0.92 * width, label=name)
            shut = (blind or {}).get(name) or [None] * len(values)
            for bar, x, value, mark in zip(drawn, places, values, shut):
                bar.set(facecolor=COLOURS[number % len(COLOURS)], edgecolor="white", linewidth=0)
                bar.set_hatch(HATCHES[number // len(COLOURS) % len(HATCHES)])
                if value is not None and count <= MOST_NUMBERED:
                    clear = value if mark is None or abs(mark - value) > 0.07 else max(mark, value) + 0.02
                    said = axes.annotate(f"{100 * value:.0f}", (x, clear), ha="center", va="bottom", fontsize=8)
                    said.set(zorder=4, path_effects=[withStroke(linewidth=2, foreground="white")])
            marks = [(x, y) for x, y in zip(places, shut) if y is not None]
            if marks:
                axes.plot(*zip(*marks), "D", color="black", markeredgecolor="white", markersize=5, zorder=3)
        if any(value is not None for values in (blind or {}).values() for value in values):
            axes.plot([], [], "D", color="black", markersize=5, label="the same model, blind")
        for (name, values), style in zip((levels or {}).items(), ("-", "--", "-.", ":")):
            spans = [(group, value) for group, value in enumerate(values) if value is not None]
            for group, value in spans:
                axes.plot(
                    [group - 0.44, group + 0.44], [value, value], style, color="#b00020", linewidth=1.4, zorder=2.5
                )
            if spans:
                axes.plot([], [], style, color="#b00020", linewidth=1.4, label=name)
        if chance:
            axes.axhline(chance, color="#666666", linewidth=1, linestyle=":", label="chance")
        axes.set_ylim(0, 1.1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xticks(range(len(groups)), groups)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=8)
        return _svg(figure)


def scatter(points: Sequence[Point]) -> str:
    """An SVG of sentences in a plane: coloured by template, those of the first two templates of an object joined."""
    templates = list(dict.fromkeys(point.template for point in points))
    with _style():
        figure = Figure(figsize=(5.4, 4.2), layout="constrained")
        axes = figure.subplots()
        ends = {(point.object, point.template): (point.x, point.y) for point in reversed(points)}
        for name in dict.fromkeys(point.object for point in points):
            pair = [ends[name, template] for template in templates[:2] if (name, template) in ends]
            if len(pair) == 2:
                axes.plot(*zip(*pair), color="#bbbbbb", linewidth=0.6, zorder=1)
        for number, template in enumerate(templates):
            chosen = [point for point in points if point.template == template]
            marker, colour = MARKERS[number % len(MARKERS)], COLOURS[number % len(COLOURS)]
            places = [point.x for point in chosen], [point.y for point in chosen]
            axes.plot(*places, marker, markersize=4.5, color=colour, alpha=0.85, label=template, zorder=2)
        axes.set_xlabel("first principal component", fontsize=8)
        axes.set_ylabel("second", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper left", ncols=4, frameon=False, fontsize=8, markerscale=1.5)
        return _svg(figure)


def _style() -> AbstractContextManager[None]:
    """The same file for the same figures, texts as outlines."""
    return matplotlib.rc_context({"svg.hashsalt": "negjax", "svg.fonttype": "path"})


def _svg(figure: Figure) -> str:
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()
