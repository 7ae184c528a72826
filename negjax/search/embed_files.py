"""Embeds the files of one chunk: reads and hashes each, and encodes the contents that no earlier chunk has.

Shapes: n files, E embedding width.
"""

import hashlib
import os
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation.embed.encode import encode_media
from negjax.evaluation.media import MediaReader, VideoSampling
from negjax.models.loaded import LoadedModel
from negjax.search.found_files import FoundFile, read_below
from negjax.search.journal import IndexedFile


@dataclass(frozen=True)
class EmbeddingSource:
    """What files are embedded from and with.

    Attributes:
        model: from `model_on_devices`.
        folder: the indexed folder.
        video: how clips are sampled.
        batch_size: frames in a batch.
    """

    model: LoadedModel
    folder: Path
    video: VideoSampling
    batch_size: int


@dataclass
class _FolderMedia(MediaReader):
    """Images, or clips, of a folder. One that cannot be decoded is blank, and has its error in `errors`."""

    folder: Path = Path()
    files: Sequence[FoundFile] = ()
    errors: dict[int, str] = field(default_factory=dict)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """As `MediaReader.read`. index: into `files`."""
        path = self.files[index].path
        try:
            return self.decode(read_below(self.folder, path), path)
        except NegjaxError as error:
            self.errors[index] = str(error)
            return self.blank()


def embed_files(
    source: EmbeddingSource, files: Sequence[FoundFile], embedded: Container[bytes]
) -> tuple[list[IndexedFile], np.ndarray]:
    """Embeds files, each content once.

    Args:
        source: what with.
        files: the files.
        embedded: sha256 of contents that need not be embedded.

    Returns:
        What became of each file, and the new embeddings, float32 [n, E].

    Raises:
        NegjaxError: an embedding is not finite.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        hashed = list(threads.map(lambda file: _hash(source.folder, file), files))
    first: dict[bytes, int] = {}
    for number, (sha256, error) in enumerate(hashed):
        if not error and sha256 not in embedded:
            first.setdefault(sha256, number)
    vectors: dict[int, np.ndarray] = {}
    errors: dict[int, str] = {}
    for is_clip in (False, True):
        chosen = [number for number in first.values() if files[number].is_clip == is_clip]
        if chosen:
            media = _FolderMedia(
                source.model.preprocess, source.video if is_clip else None, source.folder, [files[n] for n in chosen]
            )
            index_n = _padded(len(chosen), source.batch_size // media.frames)
            for index_b, vector_bE in encode_media(source.model, media, index_n, source.batch_size):
                real = index_b >= 0
                vectors |= {chosen[index]: vector for index, vector in zip(index_b[real], vector_bE[real])}
            errors |= {chosen[index]: error for index, error in media.errors.items()}
    rows: dict[bytes, int] = {}
    kept: list[np.ndarray] = []
    for sha256, number in first.items():
        if number not in errors:
            if not np.isfinite(vectors[number]).all():
                raise NegjaxError(
                    f"the model's embedding of {files[number].path} is not finite: its weights are damaged, or its "
                    "numbers overflow in this precision"
                )
            rows[sha256] = len(kept)
            kept.append(vectors[number])
    result = []
    for number, (file, (sha256, error)) in enumerate(zip(files, hashed)):
        error = error or errors.get(first.get(sha256, -1), "")
        row = rows.get(sha256) if first.get(sha256) == number else None
        result.append(IndexedFile(file, sha256, row, error))
    width = source.model.config.embed_dim
    return result, np.array(kept, np.float32).reshape(-1, width)


def _hash(folder: Path, file: FoundFile) -> tuple[bytes, str]:
    """The sha256 of a file's content, or zeros and why it cannot be read."""
    try:
        return hashlib.sha256(read_below(folder, file.path)).digest(), ""
    except NegjaxError as error:
        return bytes(32), str(error)


def _padded(count: int, batch: int) -> np.ndarray:
    """The indices of items, less than a batch filled with -1 up to a power of two: few shapes are compiled."""
    index = np.full(max(count, min(1 << (count - 1).bit_length(), batch)), -1)
    index[:count] = np.arange(count)
    return index
