"""Every later run against the first: the whole table."""

from collections.abc import Sequence
from html import escape

from negjax.evaluation.report.comparisons import Compared
from negjax.evaluation.report.page.html import breakable, details, note, probability, section, signed, wide

HOW_TO_READ = (
    "The same questions, one by one. The difference is this run less the first, in points, with its 95 % interval; p "
    "is that of a sign-flip permutation in which all questions of an image flip together; McNemar's exact p stands "
    "beside it where every question has an image of its own. More and less: on how many this run earned more, or less, "
    "credit. Units are images, or groups or queries where those are counted. All this says how questions vary, not how "
    "training seeds do."
)
HEADINGS = ("run", "task", "metric", "difference", "95 % interval", "p", "McNemar p", "more", "less", "n", "units")


def comparisons_section(first: str, compared: Sequence[Compared]) -> str:
    """ "" for a single run."""
    if not compared:
        return ""
    head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    rows = "".join(f"<tr>{_row(each)}</tr>" for each in compared)
    table = wide(f'<table class="figures"><tr>{head}</tr>{rows}</table>')
    starred = sum(each.differs for each in compared)
    body = details("All comparisons", f"{len(compared)} figures, {starred} with p < 0.05", note(HOW_TO_READ) + table)
    return section("comparisons", f"Against the first run, {first}", body)


def _row(each: Compared) -> str:
    cells = [f"<th>{escape(each.run)}</th><td>{breakable(each.task)}</td><td>{breakable(each.metric)}</td>"]
    result = each.result
    if result is None:
        return cells[0] + f'<td colspan="{len(HEADINGS) - 3}">not asked the same questions</td>'
    mcnemar = "" if result.mcnemar is None else probability(result.mcnemar)
    values = (
        signed(100 * result.difference) + (" ✱" if each.differs else ""),
        "[{}, {}]".format(*(signed(100 * end) for end in result.ci95)),
        probability(result.p_value),
        mcnemar,
        f"{each.more:,}",
        f"{each.less:,}",
        f"{result.n:,}",
        f"{result.units:,}",
    )
    return cells[0] + "".join(f"<td>{escape(value)}</td>" for value in values)
