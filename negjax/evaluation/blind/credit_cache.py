"""The cache of fitted blind figures on disk: a scorer is fitted to the same questions once, and a stop loses one fit.

CACHE/text_only/KEY.credits   sha256 (32 bytes) of KEY and of what follows, then the credits, little-endian float64 [N]

KEY is the sha256 of all that the credits depend on: the scorer's definition, the questions, and the library's version.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.distributed import is_first_process
from negjax.runtime.files import write_atomic

logger = logging.getLogger(__name__)


class CreditCache:
    """Credits by what determines them. A file that cannot be read or written is logged, and the credits are computed.

    Args:
        folder: of the cache, in which "text_only" is created; None to keep nothing.
    """

    def __init__(self, folder: epath.PathLike | None) -> None:
        self._folder = epath.Path(folder) / "text_only" if folder is not None else None

    def get(self, determined_by: Any, compute: Callable[[], np.ndarray | None]) -> np.ndarray | None:
        """The kept credits, or those that are computed now and kept by process 0.

        Args:
            determined_by: all that the credits depend on, JSON-able.
            compute: makes the credits [N], or None, which is not kept.
        """
        if self._folder is None:
            return compute()
        key = hashlib.sha256(json.dumps(determined_by).encode()).hexdigest()
        path = self._folder / f"{key}.credits"
        kept = _read(path, key)
        if kept is None and (kept := compute()) is not None and is_first_process():
            data = kept.astype("<f8").tobytes()
            try:
                write_atomic(path, _digest(key, data) + data)
            except NegjaxError as error:
                logger.warning("%s: the figures of text-only scorers are not kept", error)
                self._folder = None
        return kept


def _read(path: epath.Path, key: str) -> np.ndarray | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("cannot read %s (%s): its figures are computed again", path, error.strerror)
        return None
    digest, data = content[:32], content[32:]
    if digest != _digest(key, data):
        logger.warning("%s was altered: its figures are computed again", path)
        return None
    return np.frombuffer(data, "<f8").astype(np.float64)


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + data).digest()
