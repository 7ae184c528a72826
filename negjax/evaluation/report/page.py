"""The page as HTML: templates of negjax/assets/report, filled with the data of the sections.

Jinja escapes every text (`autoescape`), shows control characters and marks of direction as escapes (`finalize`), and
refuses a name that a template does not get (`StrictUndefined`).
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from negjax.evaluation.report.formats import FILTERS
from negjax.runtime.printable import printable

SCRIPTS = ("sortable_tables.js", "question_browser.js")


def render_page(title: str, notes: Sequence[str], sections: Mapping[str, Any]) -> str:
    """Fills the template of the page.

    Args:
        title: The page's title and first heading.
        notes: Paragraphs below the title.
        sections: The data of each section by the name that page.html.jinja has for it; None for one that is left out.

    Returns:
        The HTML, with style and script in it. Its content security policy lets no script run but this one, and
        nothing be loaded.
    """
    environment = make_environment("assets/report")
    environment.filters |= FILTERS
    assets = files("negjax").joinpath("assets/report")
    script = "\n".join(assets.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.jinja").render(
        title=title,
        notes=notes,
        style=Markup(assets.joinpath("report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_sha256=digest,
        **sections,
    )


def make_environment(folder: str) -> Environment:
    """Jinja for the templates of a folder of the package, with the rules above. folder: "assets/report"."""
    return Environment(
        loader=PackageLoader("negjax", folder),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
