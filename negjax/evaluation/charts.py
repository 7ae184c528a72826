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
            colour = COLOURS[number % len(COLOURS)]
            axes.bar(places, [value or 0 for value in values], 0.92 * width, label=name, color=colour)
            unseen = (blind or {}).get(name, [None] * len(groups))
            for place, value, mark in zip(places, values, unseen):
                if value is not None:
                    # Above the mark, where that would cover the number.
                    top = mark + 0.02 if mark is not None and -0.03 < mark - value < 0.08 else value
                    axes.annotate(f"{100 * value:.0f}", (place, top), ha="center", va="bottom", fontsize=8)
            marks = [(place, mark) for place, mark in zip(places, unseen) if mark is not None]
            if marks:
                label = "the same model, blind" if number == len(series) - 1 else None
                axes.plot(*zip(*marks), "D", color="black", markeredgecolor="white", markersize=6, label=label)
        if chance:
            axes.axhline(chance, color="#666666", linewidth=1, linestyle=":", label="chance")
        axes.set_ylim(0, 1.08)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xticks(range(len(groups)), groups)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()
