"""What all charts share: colours, a style that gives the same SVG for the same figures, and the chart as data."""

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito: safe for colour-blind


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes:
        caption: The heading above it.
        svg: The picture.
        note: A paragraph below it; "" for none.
    """

    caption: str
    svg: str
    note: str = ""


def svg_style() -> AbstractContextManager[None]:
    """Settings to draw within: SVG ids do not vary from run to run, texts become outlines (no font is needed), and a
    name with dollar signs is no formula."""
    return matplotlib.rc_context({"svg.hashsalt": "negjax", "svg.fonttype": "path", "text.parse_math": False})


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure, in inches, without a frame above and to the right."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def to_svg(figure: Figure) -> str:
    """The figure as SVG, without the date."""
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()
