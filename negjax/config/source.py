"""A source of training examples: a data set, the objectives computed on it, and how its images are augmented."""

import math
from dataclasses import dataclass, field, make_dataclass
from functools import cached_property, partial
from typing import Any

from negjax.objectives.inputs import INPUTS
from negjax.objectives.table import OBJECTIVES, objective, objectives_with, weight_meaning


@dataclass(frozen=True)
class SourceSet:
    """The data set of a source, and its batch size.

    Attributes:
        dataset: name of the set in `data_dir`.
        batch_size: examples of this source in a step, over all devices.
    """

    dataset: str
    batch_size: int


# One weight for each objective of the table, by its name; given by keyword.
_WEIGHTS = [
    (name, float, field(default=0.0, kw_only=True, metadata={"meaning": partial(weight_meaning, name)}))
    for name in OBJECTIVES
]
_WeightedSet: Any = make_dataclass("_WeightedSet", _WEIGHTS, bases=(SourceSet,), frozen=True)


@dataclass(frozen=True)
class Source(_WeightedSet):
    """One stream of examples and the weights of the objectives that are computed on it.

    The loss is the sum over sources and objectives of weight x mean over the source's batch. Data sets are mixed by
    `batch_size` (how many examples are seen) and by the weights (how much they count); a source has no other weight,
    because it would only multiply these. Each objective of `negjax.objectives.table` has a weight with its name.

    Attributes:
        negated_fraction: how often the caption is one of `negated_captions` instead of `captions`, 0 to 1.
        hard_negatives: number of wrong options of the image's question, drawn for each use without replacement, that
            are added to the captions of the batch when an image is compared with them in the contrastive loss (NegCLIP,
            Yuksekgonul et al. 2023). If a question has fewer, its options are drawn again. They come from the question
            because `negated_captions` are true of their image. In a set of questions without captions, such as `pairs`
            of a caption and a wrong one, the right option is the caption. Sets whose rows share their options are
            refused: an option that is wrong for one row is right for another.
        crop_scale: smallest share of an image's area that a random crop keeps, as in
            RandomResizedCrop((crop_scale, 1)); 1 for the preprocessing of evaluation.
        crop_ratio: smallest and largest width of the crop over its height.
        flip: whether half of the images are mirrored left to right (not where captions mention left, right or writing).
        color_jitter: how far brightness, contrast, saturation and hue may change, as in torchvision and open_clip; see
            `negjax.media.augment` (not where captions mention colours).
        color_jitter_prob: how often they change, 0 to 1.
        gray_scale_prob: how often an image is converted to grey, 0 to 1.
    """

    negated_fraction: float = 0.0
    hard_negatives: int = 0
    crop_scale: float = 1.0
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = False
    color_jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    color_jitter_prob: float = 1.0
    gray_scale_prob: float = 0.0

    @cached_property
    def weights(self) -> dict[str, float]:
        """Name of each objective with a weight -> the weight, in the order in which losses are added up."""
        return {name: weight for name in OBJECTIVES if (weight := getattr(self, name))}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The inputs that the objectives need of a batch, keys of `negjax.objectives.inputs.INPUTS` in its order."""
        needed = {name for key in self.weights for name in objective(key).inputs}
        optional = {name for name, spec in INPUTS.items() if spec.setting and getattr(self, spec.setting)}
        return tuple(name for name, spec in INPUTS.items() if spec.axes and name in needed | optional)

    @cached_property
    def teacher_inputs(self) -> tuple[str, ...]:
        """The inputs that the teacher encodes as well; empty where no objective has a teacher."""
        needed = {name for key in self.weights for name in objective(key).teacher_inputs}
        return tuple(name for name in self.inputs if name in needed)

    @property
    def has_negations(self) -> bool:
        """Whether texts that may deny something are among its inputs, besides what stands in plain captions."""
        texts = {name for name in self.inputs if INPUTS[name].tower == "text"}
        return bool(self.negated_fraction or texts - {"text"})

    @property
    def recolors(self) -> bool:
        """Whether colours are changed at random."""
        return bool((any(self.color_jitter) and self.color_jitter_prob) or self.gray_scale_prob)

    def problem(self) -> str | None:
        """An error in the settings, as text to append to the source's name; None when they are valid."""
        return self._problem_of_objectives() or self._problem_of_images()

    def _problem_of_objectives(self) -> str | None:
        for name in OBJECTIVES:
            if not 0 <= getattr(self, name) < math.inf:
                return f".{name} is {getattr(self, name)}: a weight must not be negative, and finite"
        if not self.weights:
            *names, last = OBJECTIVES
            return f" has no objective: give {', '.join(names)} or {last} a weight"
        if self.batch_size < 1:
            return f".batch_size is {self.batch_size}: it must be positive"
        for name in ("negated_fraction", "color_jitter_prob", "gray_scale_prob"):
            if not 0 <= getattr(self, name) <= 1:
                return f".{name} must be between 0 and 1"
        if self.negated_fraction and "text" not in self.inputs:
            takers = ", ".join(objectives_with("text"))
            return f".negated_fraction is given, but no objective takes a caption ({takers})"
        ranking = objectives_with("negative_text")
        if self.hard_negatives < 0 or (self.hard_negatives and not self.weights.keys() & ranking):
            needs = f"{' or '.join(ranking)} needs a weight"
            return f".hard_negatives is {self.hard_negatives}: it must not be negative, and {needs}"
        return None

    def _problem_of_images(self) -> str | None:
        if not 0 < self.crop_scale <= 1:
            return ".crop_scale must be above 0 and at most 1"
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            return ".crop_ratio must be two positive numbers, the smaller first"
        if self.crop_scale == 1 and self.crop_ratio != Source.crop_ratio:
            return ".crop_ratio is given, but crop_scale is 1: nothing is cropped at random"
        if min(self.color_jitter) < 0 or self.color_jitter[3] > 0.5:
            return ".color_jitter must not be negative, and its last number, of the hue, not above 0.5"
        if self.color_jitter_prob != Source.color_jitter_prob and not any(self.color_jitter):
            return ".color_jitter_prob is given, but color_jitter is 0: no colour is changed"
        return None
