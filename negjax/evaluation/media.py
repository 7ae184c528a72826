"""The distinct images, or clips, of an evaluation: their origins and their pixels.

Shapes: F frames of a clip, S image size.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from negjax.datasets.stored.stored_set import StoredSet
from negjax.media.decoding import decode
from negjax.media.images import Preprocess, to_pixels
from negjax.media.video import VideoPreprocess, read_frames, to_clip_pixels


@dataclass(frozen=True)
class Origin:
    """The first row that holds an image, a clip or a caption.

    Attributes:
        data: the set.
        row_index: the row in the set, counted from 0.
        id: the row's id.
    """

    data: StoredSet
    row_index: int
    id: int

    def __str__(self) -> str:
        return f"set {self.data.name}, row {self.id}"


@dataclass(frozen=True)
class VideoSampling:
    """How clips become pixels.

    Attributes:
        frames: frames taken from each clip.
        preprocess: "negbench" resizes frames as NegBench does, "clip" as CLIP resizes images.
    """

    frames: int = 4
    preprocess: VideoPreprocess = "negbench"


@dataclass
class MediaReader:
    """Images, or clips, read one at a time as pixels of one shape; what a subclass reads them from is its own matter.

    Attributes:
        preprocess: how pixels are resized and cropped.
        video: how clips are sampled; None for images.
    """

    preprocess: Preprocess
    video: VideoSampling | None = None

    @property
    def frames(self) -> int:
        """Number of frames of each clip; 1 for images."""
        return self.video.frames if self.video else 1

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that determine the pixels of an image or clip, JSON-able."""
        return asdict(self.preprocess) | ({"video": asdict(self.video)} if self.video else {})

    def blank(self) -> tuple[np.ndarray, int]:
        """Black pixels of the shape and type that `read` returns, to pad a batch with."""
        dtype = np.float32 if self.video and self.video.preprocess == "negbench" else np.uint8
        size = self.preprocess.size
        return np.zeros((self.frames, size, size, 3), dtype), 1

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Reads and decodes one; safe to call in several threads.

        Returns:
            Pixels [F, S, S, 3], and the number of frames of the clip; a short one is padded with black frames.

        Raises:
            NegjaxError: the image or clip cannot be decoded.
        """
        raise NotImplementedError

    def decode(self, content: bytes, where: str) -> tuple[np.ndarray, int]:
        """Decodes one, with the result and errors of `read`.

        Args:
            content: the encoded image or clip.
            where: its name, for errors.
        """
        if self.video is None:
            return to_pixels(decode(content, where), self.preprocess)[None], 1
        pixels_FHWC, _ = self.blank()
        frames_FHWC = to_clip_pixels(read_frames(content, self.frames, where), self.preprocess, self.video.preprocess)
        pixels_FHWC[: len(frames_FHWC)] = frames_FHWC
        return pixels_FHWC, len(frames_FHWC)


@dataclass
class DistinctMedia(MediaReader):
    """Distinct images, or distinct clips, of sets.

    Attributes:
        keep_bytes: bytes of pixels that may still be kept in memory for the next evaluation.
        origins: the first row that holds each.
        keys: sha256 of the bytes of each.
    """

    keep_bytes: int = 0
    origins: list[Origin] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    _kept: dict[int, tuple[np.ndarray, int]] = field(default_factory=dict, repr=False)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """As `MediaReader.read`. index: into `origins`."""
        if index in self._kept:
            return self._kept[index]
        origin = self.origins[index]
        entry = self.decode(origin.data[origin.row_index]["media"], str(origin))
        if entry[0].nbytes <= self.keep_bytes:
            self.keep_bytes -= entry[0].nbytes
            self._kept[index] = entry
        return entry
