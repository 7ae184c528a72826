"""Filters of the page's templates: how figures, names, JSON data and pictures are written in HTML.

Figures arrive in [0, 1] and are shown per cent. A filter that returns `Markup` has escaped its input itself; Jinja
escapes the results of all others.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape


def per_cent(value: float, digits: int = 1) -> str:
    """0.1234 -> "12.3"."""
    return f"{100 * value:.{digits}f}"


def interval(low_high: Sequence[float], digits: int = 1) -> str:
    """(0.1, 0.2) -> "[10.0–20.0]"."""
    return f"[{per_cent(low_high[0], digits)}–{per_cent(low_high[1], digits)}]"


def signed_points(difference: float) -> str:
    """A difference of two figures in percentage points with its sign; what rounds to zero is "+0.0"."""
    points = round(100 * difference, 1)
    return f"{'−' if points < 0 else '+'}{abs(points):.1f}"


def trend(change: float, lower_is_better: bool) -> str:
    """The CSS class of a change: "up" for better, "down" for worse, "" for what rounds to zero."""
    if signed_points(change) == "+0.0":
        return ""
    return "up" if (change > 0) != lower_is_better else "down"


def thousandths(value: float) -> str:
    """0.00123 -> "1.23"."""
    return f"{1000 * value:.2f}"


def p_value(p: float) -> str:
    """A p-value with three decimals; smaller ones as a bound."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def thousands(count: int) -> str:
    """5914 -> "5,914"."""
    return f"{count:,}"


def breakable(name: str) -> Markup:
    """The name of a task or metric with points at which a narrow column may break it."""
    return Markup(str(escape(name)).replace("_", "_<wbr>").replace("@", "<wbr>@"))


def script_json(content: Any) -> Markup:
    """JSON for a <script> element: no "<" can close the element or open a comment, whatever texts it holds."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def svg_source(svg: str) -> str:
    """An SVG as the source of an <img>, where no script in it can run."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


FILTERS = {
    filter_function.__name__: filter_function
    for filter_function in (
        per_cent,
        interval,
        signed_points,
        trend,
        thousandths,
        p_value,
        thousands,
        breakable,
        script_json,
        svg_source,
    )
}
