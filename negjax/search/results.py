"""The results of a search: for a terminal, as JSON, and for pages.

Shapes: K results.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from negjax.language.parsed import Parsed
from negjax.negation.table import method_text
from negjax.search.exact import best_rows
from negjax.search.request import SearchRequest
from negjax.search.searcher import Searcher


@dataclass(frozen=True)
class SearchResults:
    """The best files of a search.

    Attributes:
        request: the search.
        method: the method with its constants, "subtract, weight 0.5"; "" where it changes nothing.
        files: number of files searched.
        row_K: their rows in the index, best first; -1 for a file that a store has and the index does not.
        paths: their paths below the indexed folder.
        score_K: their scores.
    """

    request: SearchRequest
    method: str
    files: int
    row_K: np.ndarray
    paths: Sequence[str]
    score_K: np.ndarray

    def reading(self) -> list[str]:
        """How the query was read, in lines for people."""
        query = self.request.query
        if query is None:
            return []
        if not query.negated:
            return [f"asked: {query.affirmed}" + (f" ({query.remark})" if query.remark else "")]
        asked = f"asked: {query.affirmed or 'anything'}; excluded: {', '.join(query.negated)}"
        return [f"{asked} ({self.method or 'none: the query as it stands'})"]


def best_results(
    searcher: Searcher, request: SearchRequest, count: int, score_N: np.ndarray | None = None, offset: int = 0
) -> SearchResults:
    """Searches.

    Args:
        searcher: the index with its model.
        request: the search.
        count: number of results.
        score_N: the scores of all files, where they are known.
        offset: results to leave out before them; not of a store.

    Raises:
        NegjaxError: the method is unknown, or the store that has the vectors refuses.
    """
    index, method = searcher.index, describe_method(searcher, request)
    if index.info.store is not None:
        best = searcher.nearest(request, count)
        paths, score_K = [path for path, _ in best], np.array([score for _, score in best], np.float32)
        row_K = pc.index_in(pa.array(paths, pa.string()), index.files["path"]).fill_null(-1).to_numpy()
        return SearchResults(request, method, index.info.files, row_K, paths, score_K)
    if score_N is None:
        score_N = searcher.scores(request)
    row_K = best_rows(score_N, offset + count)[offset:]
    paths = index.files["path"].take(row_K).to_pylist()
    return SearchResults(request, method, len(score_N), row_K, paths, score_N[row_K])


def describe_method(searcher: Searcher, request: SearchRequest) -> str:
    """The method of a search with its constants; "" where it changes nothing."""
    if request.query is None or not request.query.negated:
        return ""
    return method_text(searcher.method(request.negation).describe())


def query_json(query: Parsed | None) -> dict[str, Any] | None:
    """How a query was read, JSON-able."""
    if query is None:
        return None
    return {
        "text": query.caption,
        "asked": query.affirmed,
        "concepts": list(query.concepts),
        "excluded": list(query.negated),
        "operator": query.operator,
        "remark": query.remark,
    }


def to_json(results: SearchResults) -> dict[str, Any]:
    """Results, JSON-able."""
    request = results.request
    return {
        "query": query_json(request.query),
        "negation": request.negation,
        "method": results.method,
        "strength": request.strength,
        "files": results.files,
        "results": [
            {"row": int(row), "path": path, "score": float(score)}
            for row, path, score in zip(results.row_K, results.paths, results.score_K)
        ],
    }
