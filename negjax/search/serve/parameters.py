"""What a request of the page asks, from the parameters of its address."""

from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.search.request import compose_query, read_query

MAX_PAGE = 200  # results of one answer
MAX_PARTS = 16  # that are asked, and pictures
NAMES = ("q", "asked", "excluded", "negation", "strength", "like", "unlike", "offset", "limit")


@dataclass(frozen=True)
class PageRequest:
    """One page of results of a search; it serves as the key of what is kept.

    Attributes:
        query: the query as it was read; None for a search by pictures alone.
        negation: the method.
        strength: of exclusion.
        like: rows of the index that results should be like.
        unlike: rows that they should not be like.
        offset: results before the page.
        limit: results on the page.
    """

    query: Parsed | None
    negation: str
    strength: float
    like: tuple[int, ...]
    unlike: tuple[int, ...]
    offset: int
    limit: int


def read_parameters(parameters: QueryParams, methods: Collection[str], default: str, files: int) -> PageRequest:
    """Reads the parameters of a search: a query `q`, or its parts `asked` and `excluded`, which may be repeated.

    Args:
        parameters: of the address.
        methods: the methods that may be named.
        default: the method where none is.
        files: number of files of the index.

    Raises:
        NegjaxError: one is unknown or out of range.
    """
    if unknown := [name for name in parameters if name not in NAMES]:
        raise NegjaxError(f"unknown parameter {unknown[0][:40]!r}; choose among {', '.join(NAMES)}")
    negation = parameters.get("negation", default)
    if negation not in methods:
        raise NegjaxError(f"unknown negation method {negation[:40]!r}; choose one of {', '.join(methods)}")
    asked, excluded = parameters.getlist("asked"), parameters.getlist("excluded")
    if len(asked) > MAX_PARTS:
        raise NegjaxError(f"{len(asked)} parts are asked: give at most {MAX_PARTS}")
    like, unlike = (_rows(parameters, name, files) for name in ("like", "unlike"))
    query = None
    if "q" in parameters:
        query = read_query(parameters["q"])
    elif asked or excluded:
        query = compose_query(asked, excluded)
    return PageRequest(
        query,
        negation,
        _strength(parameters.get("strength", "1")),
        like,
        unlike,
        _whole(parameters.get("offset", "0"), "offset", 0, files),
        _whole(parameters.get("limit", "48"), "limit", 1, MAX_PAGE),
    )


def _rows(parameters: QueryParams, name: str, files: int) -> tuple[int, ...]:
    texts = parameters.getlist(name)
    if len(texts) > MAX_PARTS:
        raise NegjaxError(f"{len(texts)} pictures are named as {name}: give at most {MAX_PARTS}")
    return tuple(_whole(text, name, 0, files - 1) for text in texts)


def _whole(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise NegjaxError(f"{name} is {text[:40]!r}: give a whole number from {least} to {most}")
    return int(text)


def _strength(text: str) -> float:
    try:
        return float(text)  # its range is checked by the search
    except ValueError as error:
        raise NegjaxError(f"strength is {text[:40]!r}: give a number") from error
