"""The photographs that claims are about, found by their paths and read ahead in threads."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image

from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import read_media
from negjax.errors import NegjaxError
from negjax.media.decoding import decode

_BATCHES_AHEAD = 2
Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class Photos:
    """The photographs below a folder.

    Attributes:
        root: the folder.
        skip_missing: whether one that is missing or broken is left out instead of an error.
    """

    root: MediaRoot
    skip_missing: bool = False

    def open(self, path: str) -> Image.Image | None:
        """A photograph by its path in the rows; None for one that is left out.

        Raises:
            NegjaxError: it is missing, or cannot be decoded.
        """
        file = self.root.find(path)
        try:
            if file is None:
                raise NegjaxError(f"{path} is not below {self.root.root}")
            return decode(read_media(file), str(file))
        except (NegjaxError, OSError) as error:
            if self.skip_missing:
                return None
            raise NegjaxError(f"{error}: correct --media-root, or leave such images out with --skip-missing") from error

    def batches(
        self, paths: Sequence[str], size: int, prepare: Callable[[Image.Image], Prepared]
    ) -> Iterator[list[Prepared | None]]:
        """Prepares photographs in threads, two batches ahead.

        Args:
            paths: their paths.
            size: of a batch; the last one may be smaller.
            prepare: makes of a photograph what is wanted.

        Raises:
            NegjaxError: as `open`.
        """

        def read(path: str) -> Prepared | None:
            image = self.open(path)
            return None if image is None else prepare(image)

        threads = ThreadPoolExecutor(os.cpu_count())
        waiting: deque[list[Future[Prepared | None]]] = deque()
        try:
            for start in range(0, len(paths), size):
                waiting.append([threads.submit(read, path) for path in paths[start : start + size]])
                if len(waiting) > _BATCHES_AHEAD:
                    yield [future.result() for future in waiting.popleft()]
            while waiting:
                yield [future.result() for future in waiting.popleft()]
        finally:
            threads.shutdown(cancel_futures=True)
