"""A suite of evaluation tasks."""

from dataclasses import dataclass
from typing import Literal

from negjax.errors import NegjaxError
from negjax.runtime.paths import check_path


@dataclass(frozen=True)
class SetSource:
    """How a set of a suite is made: from a file as by `negjax data build`, or from another set by `negjax data derive`.

    Attributes:
        kind: value of --kind for that command.
        file: name of the file; for kind "folder" a folder below the media root ("." for the root itself).
        source: name of the set to derive from.
        split: the split of a JSON benchmark that has several.
        classnames: for kind "folder", the classes of the zero-shot task.
        templates: for kind "folder", the prompts of the zero-shot task.
    """

    kind: str
    file: str = ""
    source: str = ""
    split: str = ""
    classnames: str = ""
    templates: str = "openai"

    def __post_init__(self) -> None:
        for name in ("file", "classnames", "templates"):
            check_path(getattr(self, name), name)
        if bool(self.file) == bool(self.source):
            raise NegjaxError(f"a set of kind {self.kind} needs a file or a source to derive from, one of them")


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together: how their sets are made, and how they are evaluated.

    Attributes:
        tasks: name of a set -> how it is made.
        frames: frames taken of each clip.
        video_preprocess: how frames are resized, see `negjax.evaluation.media.VideoSampling`.
    """

    tasks: dict[str, SetSource]
    frames: int = 4
    video_preprocess: Literal["negbench", "clip"] = "negbench"

    def __post_init__(self) -> None:
        if not self.tasks:
            raise NegjaxError("config.tasks is empty: name at least one task")
