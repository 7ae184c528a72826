"""Sentences as points in a plane, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from negjax.evaluation.report.chart import COLOURS, new_axes, svg_style, to_svg

MARKERS = ("o", "X", "s", "^", "D", "v")


@dataclass(frozen=True)
class SentencePoint:
    """A sentence in the plane.

    Attributes:
        object: The object that the sentence names.
        template: Name of the template that it was made from.
        x: Its first coordinate.
        y: Its second coordinate.
    """

    object: str
    template: str
    x: float
    y: float


def scatter_plot(points: Sequence[SentencePoint]) -> str:
    """An SVG of the points, coloured by template; a line joins the first two templates of each object."""
    templates = list(dict.fromkeys(point.template for point in points))
    with svg_style():
        figure, axes = new_axes(5.4, 4.2)
        first_position = {(point.object, point.template): (point.x, point.y) for point in reversed(points)}
        for name in dict.fromkeys(point.object for point in points):
            pair = [first_position[name, t] for t in templates[:2] if (name, t) in first_position]
            if len(pair) == 2:
                axes.plot(*zip(*pair), color="#bbbbbb", linewidth=0.6, zorder=1)
        for index, template in enumerate(templates):
            coordinates = zip(*((point.x, point.y) for point in points if point.template == template))
            marker, colour = MARKERS[index % len(MARKERS)], COLOURS[index % len(COLOURS)]
            axes.plot(*coordinates, marker, markersize=4.5, color=colour, alpha=0.85, label=template, zorder=2)
        axes.set_xlabel("first principal component", fontsize=8)
        axes.set_ylabel("second", fontsize=8)
        axes.tick_params(labelsize=7)
        figure.legend(loc="outside upper left", ncols=4, frameon=False, fontsize=8, markerscale=1.5)
        return to_svg(figure)
