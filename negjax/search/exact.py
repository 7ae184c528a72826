"""Exact search: the scores of all vectors, block by block, and the best of them.

Shapes: N vectors, n of a block, K query vectors, E embedding width.
"""

import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import ThreadpoolController

from negjax.negation.scorer import CaptionVectors

SCORED_BYTES = 1 << 22  # of vectors that are scored at a time
_searching = threading.Lock()  # a search uses all cores, and the limit of BLAS is the process's


def score_all(vector_NE: np.ndarray, query: CaptionVectors) -> np.ndarray:
    """The scores of all vectors with one query.

    Args:
        vector_NE: of unit length, float32 or float16; may be mapped from a file, which is read once, in order.
        query: the vectors of one query.

    Returns:
        float32 [N].
    """
    size = max(1, SCORED_BYTES // max(1, vector_NE.shape[1] * 4))
    score_N = np.empty(len(vector_NE), np.float32)
    query_EK = np.stack([vector_CE[0] for vector_CE in query.vector_KCE], axis=1).astype(np.float32)

    def score_block(start: int) -> None:
        block_nE = np.asarray(vector_NE[start : start + size], np.float32)
        cosine_nK = block_nE @ query_EK  # one product: a block is read once for all vectors
        score_N[start : start + size] = query.joined(cosine_nK, np.zeros(len(block_nE), np.int64))

    # A thread a core, each with blocks of its own: BLAS's own threads would meet after each of these small products.
    with _searching, _blas().limit(limits=1), ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(score_block, range(0, len(vector_NE), size)):
            pass
    return score_N


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def best_rows(score_N: np.ndarray, count: int) -> np.ndarray:
    """The rows with the highest scores, best first; of equal scores the first rows.

    Args:
        score_N: finite scores.
        count: number of rows, or all where there are fewer.

    Returns:
        int64 [min(count, N)].
    """
    count = min(count, len(score_N))
    if count == 0:
        return np.zeros(0, np.int64)
    if count < len(score_N):
        least = np.partition(score_N, len(score_N) - count)[len(score_N) - count]
        above = np.flatnonzero(score_N > least)
        row_N = np.sort(np.concatenate([above, np.flatnonzero(score_N == least)[: count - len(above)]]))
    else:
        row_N = np.arange(len(score_N))
    return row_N[np.argsort(-score_N[row_N], kind="stable")]
