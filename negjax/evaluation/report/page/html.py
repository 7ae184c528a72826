"""Pieces of HTML that several sections share. Every text that goes into the page is escaped here or by the caller."""

import base64
from collections.abc import Sequence
from html import escape


def per_cent(value: float, digits: int = 1) -> str:
    """A figure in [0, 1] as people read it."""
    return f"{100 * value:.{digits}f}"


def interval(low_high: Sequence[float], digits: int = 1) -> str:
    """An interval in brackets."""
    return f"[{per_cent(low_high[0], digits)}–{per_cent(low_high[1], digits)}]"


def signed(points: float) -> str:
    """Points with their sign; nothing that rounds to zero is negative."""
    points = round(points, 1)
    return f"{'−' if points < 0 else '+'}{abs(points):.1f}"


def probability(p: float) -> str:
    """A p-value; small ones as a bound."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def breakable(name: str) -> str:
    """The name, escaped, with places where a narrow column may break it."""
    return escape(name).replace("_", "_<wbr>").replace("@", "<wbr>@")


def section(name: str, heading: str, *parts: str) -> str:
    """A section with a heading. name: its anchor; the dot keeps it apart from the names of tasks."""
    return f'<section id="on.{name}"><h2>{escape(heading)}</h2>{"".join(parts)}</section>'


def note(text: str) -> str:
    """A paragraph of explanation."""
    return f'<p class="note">{escape(text)}</p>'


def wide(table: str) -> str:
    """A table that scrolls sideways where the page is narrower."""
    return f'<div class="wide" tabindex="0">{table}</div>'


def details(summary: str, small: str, body: str) -> str:
    """Something to be opened."""
    return f"<details><summary>{escape(summary)} <small>{escape(small)}</small></summary>{body}</details>"


def chart(caption: str, svg: str, below: str = "") -> str:
    """An SVG as a picture: nothing in it can run. below: HTML."""
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    image = f'<img src="{source}" alt="{escape(caption)}">'
    return f"<figure><figcaption>{escape(caption)}</figcaption>{image}{below}</figure>"
