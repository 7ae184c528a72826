"""Everything an evaluation needs that no model changes: tasks over shared images, clips and tokenised captions.

A plan serves any number of models with the same preprocessing and context length, as in training.
Shapes: N rows, C captions of a retrieval set, O options, K classes, P templates, Q queries, T tokens, S image size,
F frames of a clip.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from negjax.datasets.stored.stored_set import StoredSet
from negjax.media.images import Preprocess, decode, to_pixels
from negjax.media.video import VideoPreprocess, read_frames, to_clip_pixels


@dataclass
class Questions:
    """Places of each question's options among the plan's captions, and of the right one among the options.

    option_kinds: what each option is ("hybrid"), an empty list for a question whose options nobody named.
    """

    option_NO: np.ndarray
    answer_N: np.ndarray
    kinds: list[str]
    texts: list[list[str]]
    option_kinds: list[list[str]]


@dataclass
class Retrieval:
    """Places of all captions, row by row in list order, among the plan's captions, and the row of each."""

    caption_C: np.ndarray
    owner_C: np.ndarray


@dataclass
class ZeroShot:
    """The class of each row, and the places of each class's prompts among the plan's captions."""

    label_N: np.ndarray
    prompt_KP: np.ndarray


@dataclass
class Queries:
    """Places of each query and of the same query without what it excludes, and which rows hold what is in it.

    asked_QN: rows that hold all that the query includes and nothing that it excludes. excluded_QN: rows that hold
    something that it excludes.
    """

    query_Q: np.ndarray
    plain_Q: np.ndarray
    asked_QN: np.ndarray
    excluded_QN: np.ndarray


@dataclass
class Templates:
    """Sentences about the same objects, for the picture of how a text tower places them.

    objects, templates: of each sentence; caption_C: its place among the plan's captions.
    """

    objects: list[str]
    templates: list[str]
    texts: list[str]
    caption_C: np.ndarray


@dataclass
class Task:
    """A set to score: who its rows are, which of the plan's media each shows, and what is asked.

    media_N counts the plan's images first, then its clips. said: what results tell of the data beside the figures.
    """

    name: str
    kind: str
    negated: bool
    id_N: np.ndarray
    group_N: np.ndarray
    media_N: np.ndarray
    content: Questions | Retrieval | ZeroShot | Queries
    templates: Templates | None = None
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """The first row that holds a picture or a caption, and its id."""

    data: StoredSet
    row: int
    id: int

    def __str__(self) -> str:
        return f"set {self.data.name}, row {self.id}"


@dataclass(frozen=True)
class Video:
    """How clips become pixels: how many frames, and resized as NegBench does ("negbench") or as CLIP ("clip")."""

    frames: int = 4
    preprocess: VideoPreprocess = "negbench"


@dataclass
class Media:
    """Distinct images, or distinct clips (where `video` is given), read one at a time; safe to read in threads.

    keys: sha256 of each one's bytes. What was read is kept for the next time, up to `keep_bytes` in all.
    """

    preprocess: Preprocess
    video: Video | None = None
    keep_bytes: int = 0
    sources: list[Origin] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    _kept: dict[int, tuple[np.ndarray, int]] = field(default_factory=dict, repr=False)

    @property
    def frames(self) -> int:
        """Frames of each: 1 for images."""
        return self.video.frames if self.video else 1

    @property
    def said(self) -> dict[str, Any]:
        """What decides the pixels of given bytes, JSON-able."""
        return asdict(self.preprocess) | ({"video": asdict(self.video)} if self.video else {})

    def empty(self) -> tuple[np.ndarray, int]:
        """Pixels that stand for no picture."""
        kind = np.float32 if self.video and self.video.preprocess == "negbench" else np.uint8
        size = self.preprocess.size
        return np.zeros((self.frames, size, size, 3), kind), 1

    def read(self, place: int) -> tuple[np.ndarray, int]:
        """Pixels [F, S, S, 3] and how many of the frames a short clip really has; the others are black."""
        if place in self._kept:
            return self._kept[place]
        entry = self._read(place)
        if entry[0].nbytes <= self.keep_bytes:
            self.keep_bytes -= entry[0].nbytes
            self._kept[place] = entry
        return entry

    def _read(self, place: int) -> tuple[np.ndarray, int]:
        source = self.sources[place]
        data, where = source.data[source.row]["media"], str(source)
        if self.video is None:
            return to_pixels(decode(data, where), self.preprocess)[None], 1
        pixels, _ = self.empty()
        found = to_clip_pixels(read_frames(data, self.frames, where), self.preprocess, self.video.preprocess)
        pixels[: len(found)] = found
        return pixels, len(found)


@dataclass
class Plan:
    """Tasks over shared media and captions.

    token_CT: the distinct captions' token ids, int32. text_credits: see `blind_text.text_credits`.
    """

    tasks: list[Task]
    images: Media
    clips: Media
    captions: list[Origin]
    token_CT: np.ndarray
    text_credits: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 of all that is to be encoded, in order: the same on every process that evaluates together."""
        said = "\n".join([*self.images.keys, *self.clips.keys, *(task.name for task in self.tasks)])
        return hashlib.sha256(said.encode() + self.token_CT.tobytes()).hexdigest()
