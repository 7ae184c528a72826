"""Queries in the form of search engines: "beach -people", "beach NOT people", 'beach -"palm tree"'."""

import re

# A hyphen that touches a word but not the one before it. "t-shirt", "5 -10" and "a dog - black" have none.
_EXCLUDED = re.compile(r"""(?:^|(?<=\s))-(?:"([^"]{1,200})"|“([^”]{1,200})”|([^\W\d_][\w'’-]*))(?=[\s,]|$)""")
_NOT = re.compile(
    r"\b(?:(?:AND|BUT) )?NOT (?:\(([^()]{1,200})\)|\"([^\"]{1,200})\"|((?:(?!AND\b|OR\b|NOT\b|but\b)[\w'’-]+ ?){1,6}))"
)
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|does|do|did|has|have|can|could|will|would|there|be)\s*$", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:an?|the|any|no|not|with|and|but|in|on|wearing) ", re.IGNORECASE)


def split_search_form(query: str) -> tuple[str, tuple[str, ...]] | None:
    """Split a query in the form of search engines.

    Args:
        query: any caption.

    Returns:
        What is asked, and what is excluded; None for captions in another form.
    """
    if "-" in query and (matches := list(_EXCLUDED.finditer(query))):
        names = [next(group for group in match.groups() if group) for match in matches]
        # "a dog -a poodle- runs": dashes around an aside.
        if any(_ARTICLE.match(f"{name} ") or name.endswith("-") for name in names):
            return None
        return _affirmed(_EXCLUDED.sub(" ", query)), _unique(names)
    if "NOT " in query and not query.isupper() and (match := _NOT.search(query)):
        if _AUXILIARY.search(query[: match.start()]):
            return None
        names = [name for match in _NOT.finditer(query) for name in _listed(match)]
        return _affirmed(_NOT.sub(" ", query)), _unique(names)
    return None


def _listed(match: re.Match[str]) -> list[str]:
    text = next(group for group in match.groups() if group)
    names = [re.sub(r"^(?:an?|the|any) ", "", name.strip(' "')) for name in re.split(r"\bOR\b|\bAND\b|,", text)]
    return [name for name in names if name]


def _affirmed(text: str) -> str:
    text = re.sub(r"\b(?:AND|OR)\b", lambda match: match[0].lower(), text)
    text = " ".join(text.split())
    return re.sub(r"^(?:and|or|but) |(?:,| and| or| but)$", "", text.strip(" ,"))


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(name.split()) for name in names))
