"""The results of searches page by page: scores are kept, so that the next page of a search is not a new search."""

import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from negjax.search.request import SearchRequest
from negjax.search.results import SearchResults, best_results
from negjax.search.searcher import Searcher
from negjax.search.serve.parameters import PageRequest

KEPT_BYTES_OF_SCORES = 64 << 20
FEWEST_KEPT = 2  # both sides of a comparison, of an index of any size


class Rankings:
    """Searches of one index. Safe to use in several threads."""

    def __init__(self, searcher: Searcher):
        """Searches nothing. searcher: the index with its model. Raises NegjaxError where a store has its vectors."""
        self._vector_NE = searcher.index.vector_NE
        self._searcher = searcher
        self._kept: OrderedDict[PageRequest, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, page: PageRequest) -> SearchResults:
        """The results of one page.

        Raises:
            NegjaxError: nothing is asked, or the strength is out of range.
        """
        like, unlike = (
            [np.array(self._vector_NE[row], np.float32) for row in rows] for rows in (page.like, page.unlike)
        )
        request = SearchRequest(page.query, page.negation, page.strength, like, unlike)
        score_N = self._scores(replace(page, offset=0, limit=0), request)
        return best_results(self._searcher, request, page.limit, score_N, page.offset)

    def _scores(self, key: PageRequest, request: SearchRequest) -> np.ndarray:
        with self._lock:  # the next page, or a search by another, waits rather than compute beside it
            if key not in self._kept:
                score_N = self._searcher.scores(request)
                self._kept[key] = score_N
                while len(self._kept) > max(FEWEST_KEPT, KEPT_BYTES_OF_SCORES // max(1, score_N.nbytes)):
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]
