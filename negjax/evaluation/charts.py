"""Bar charts as SVG, with the blind figure marked on each bar."""

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito: told apart by all eyes

Values = Sequence[float | None]  # one for each group of bars, in [0, 1]


def bars(
    groups: Sequence[str], series: dict[str, Values], blind: dict[str, Values] | None = None, chance: float = 0.0
) -> str:
    """An SVG of grouped bars. series: run -> its bar in each group. blind: the same, drawn as marks on the bars.

    chance: where a line is drawn; 0 for none.
    """
    with matplotlib.rc_context({"svg.hashsalt": "negjax", "svg.fonttype": "path"}):
        figure = Figure(figsize=(max(6.0, 1.0 + 1.05 * len(groups)), 3.4), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(series)
        for number, (name, values) in enumerate(series.items()):
            places = [group - 0.4 + width * (number + 0.5) for group in range(len(groups))]
            drawn = axes.bar(places, [value or 0 for value in values], 0.92 * width, label=name)
            shut = (blind or {}).get(name) or [None] * len(values)
            for bar, place, value, mark in zip(drawn, places, values, shut):
                bar.set_color(COLOURS[number % len(COLOURS)])
                if value is not None:
                    clear = value if mark is None or abs(mark - value) > 0.07 else max(mark, value) + 0.02
                    axes.annotate(f"{100 * value:.0f}", (place, clear), ha="center", va="bottom", fontsize=8)
            marks = [(x, y) for x, y in zip(places, shut) if y is not None]
            if marks:
                axes.plot(*zip(*marks), "D", color="black", markeredgecolor="white", markersize=5, zorder=3)
        if any(value is not None for values in (blind or {}).values() for value in values):
            axes.plot([], [], "D", color="black", markersize=5, label="the same model, blind")
        if chance:
            axes.axhline(chance, color="#666666", linewidth=1, linestyle=":", label="chance")
        axes.set_ylim(0, 1.1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xticks(range(len(groups)), groups)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=min(len(series) + 2, 3), frameon=False, fontsize=8)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()
