"""The sentence patterns: how presence and absence are said. Each comes in a part for training and a part held out.

In a pattern {P} stands for the list of what is there ("a cat and a key"), {is} for "is" or "are" to go with it, {N}
for the absent thing's name ("dog"), {a_N} for the same with its article and {N_is} for its "is" or "are"; {M}, {a_M}
and {M_is} are those of a second absent thing.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

Medium = Literal["drawing", "photo"]


@dataclass(frozen=True)
class Patterns:
    """Sentence patterns of one kind: those a model may be trained on, and those kept for testing alone."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


@cache
def said_of(patterns: Patterns, medium: Medium) -> Patterns:
    """The patterns as they are said of a medium. They are written for drawings, and many speak of one.

    For photographs "drawing" becomes "photo", and patterns that tell of somebody drawing are left out.
    """

    def fitting(part: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(text.replace("drawing", "photo") for text in part if not re.search(r"\b(draw|drew|drawn)\b", text))

    return patterns if medium == "drawing" else Patterns(fitting(patterns.train), fitting(patterns.held_out))


AFFIRMATIVE = Patterns(
    train=(
        "{P}",
        "a picture of {P}",
        "a drawing of {P}",
        "an image of {P}",
        "a scene with {P}",
        "there {is} {P} here",
        "there {is} {P} in the picture",
        "this image shows {P}",
        "this picture includes {P}",
        "the image contains {P}",
        "the drawing features {P}",
        "here you can see {P}",
        "you can see {P} in this scene",
        "we see {P}",
        "someone drew {P}",
        "{P} can be seen",
        "{P} {is} present",
        "{P} {is} in the picture",
        "{P} {is} visible in this image",
        "{P} {is} shown here",
        "look at {P}",
        "in this scene there {is} {P}",
        "the picture has {P} in it",
        "{P} {is} part of this drawing",
        "what you see is {P}",
        "this picture features {P}",
        "the image features {P}",
    ),
    held_out=(
        "a view of {P}",
        "the scene includes {P}",
        "in the image we can see {P}",
        "{P} {is} featured in this picture",
        "this drawing has {P}",
        "here {is} {P}",
    ),
)

# What is there and one thing that is not, which is named last.
NEGATION_LAST = Patterns(
    train=(
        "{P} but no {N}",
        "{P} and no {N}",
        "{P} without {a_N}",
        "a picture of {P} without any {N}",
        "a scene with {P} but without {a_N}",
        "there {is} {P} but there {N_is} no {N}",
        "this image shows {P} but not {a_N}",
        "the picture includes {P} but lacks {a_N}",
        "{P} can be seen, but {a_N} cannot",
        "{P} {is} present and the {N} {N_is} absent",
        "{P}, with no {N} in sight",
        "{P}, but the {N} {N_is} missing",
        "{P}, and {a_N} {N_is} nowhere to be seen",
        "the drawing has {P} but it does not have {a_N}",
        "{P} {is} shown here, yet no {N} {N_is} present",
        "this picture contains {P} and does not contain {a_N}",
        "you can see {P} but you cannot see {a_N}",
        "here {is} {P}, but there {N_is} no {N}",
        "the image contains {P} and lacks any {N}",
        "{P} {is} visible while {a_N} {N_is} missing",
        "we see {P} but we do not see {a_N}",
        "the scene has {P} and no {N}",
        "{P} {is} in this picture but {a_N} {N_is} not in it",
        "someone drew {P} but did not draw {a_N}",
        "this drawing features {P} but not {a_N}",
    ),
    held_out=(
        "an image of {P} with no {N}",
        "{P} {is} here but {a_N} {N_is} not",
        "the scene shows {P} and lacks {a_N}",
        "we see {P}, and the {N} {N_is} nowhere to be seen",
    ),
)

# The same with the absent thing named first.
NEGATION_FIRST = Patterns(
    train=(
        "no {N}, but {P}",
        "no {N} {N_is} present, but {P} {is}",
        "without {a_N}, but with {P}",
        "there {N_is} no {N}, but there {is} {P}",
        "{a_N} {N_is} absent, but {P} can be seen",
        "{a_N} {N_is} nowhere to be seen, but {P} {is} here",
        "not {a_N} but {P}",
        "the scene lacks {a_N} and shows {P}",
        "the {N} {N_is} missing, but {P} {is} in the picture",
        "no {N} can be seen, though {P} can",
        "the {N} {N_is} not here, but {P} {is}",
        "lacking {a_N}, this scene shows {P}",
        "there {N_is} not {a_N}, but there {is} {P}",
        "no {N} {N_is} here, but you can see {P}",
        "you cannot see {a_N}, but you can see {P}",
        "without {a_N}, the image has {P}",
        "this picture does not show {a_N} but shows {P}",
        "with no {N} in sight, we see {P}",
        "there {N_is} no {N} in the picture, which shows {P}",
        "{a_N} {N_is} not present, but {P} {is}",
        "{a_N} cannot be seen, yet {P} can",
    ),
    held_out=(
        "there {N_is} no {N} here, but {P} can be seen",
        "without any {N}, this picture shows {P}",
        "{a_N} {N_is} missing, but {P} {is} visible",
    ),
)

# Words that may open any of these sentences; the empty one leaves it as it is.
OPENERS = Patterns(
    train=(
        "",
        "",
        "",
        "in this scene, ",
        "here, ",
        "as you can see, ",
        "in the drawing, ",
        "as drawn, ",
    ),
    held_out=("", "", "in this image, "),
)

# One absent thing and nothing else.
ABSENT = Patterns(
    train=(
        "there {N_is} no {N}",
        "no {N} {N_is} present",
        "no {N} can be seen",
        "a picture without {a_N}",
        "this picture does not include {a_N}",
        "the image does not show {a_N}",
        "the scene lacks {a_N}",
        "the {N} {N_is} absent",
        "{a_N} {N_is} nowhere to be seen",
        "there {N_is} not {a_N} in this drawing",
        "{a_N} {N_is} not here",
        "{a_N} cannot be seen",
        "we do not see {a_N}",
        "an image with no {N}",
        "a scene without any {N}",
        "the drawing does not have {a_N}",
        "the drawing does not feature {a_N}",
        "the picture features no {N}",
        "the {N} {N_is} missing",
        "no {N} {N_is} in this scene",
        "{a_N} {N_is} not visible in this image",
        "you cannot see {a_N} here",
        "this picture does not feature {a_N}",
        "this image does not show {a_N}",
        "the image does not include {a_N}",
    ),
    held_out=(
        "no {N} in the picture",
        "{a_N} {N_is} not in this scene",
        "the drawing does not contain {a_N}",
    ),
)

# Two absent things and nothing else.
NEITHER = Patterns(
    train=(
        "neither {a_N} nor {a_M}",
        "there {N_is} neither {a_N} nor {a_M}",
        "no {N} and no {M}",
        "a picture with neither {a_N} nor {a_M}",
        "a scene without {a_N} and without {a_M}",
        "there {N_is} no {N} and no {M} in the picture",
        "the image shows neither {a_N} nor {a_M}",
        "the {N} and the {M} are both absent",
        "{a_N} and {a_M} are nowhere to be seen",
        "this picture lacks {a_N} and {a_M}",
        "neither {a_N} nor {a_M} {M_is} here",
        "we see neither {a_N} nor {a_M}",
        "a picture of neither {a_N} nor {a_M}",
        "the scene has no {N} and no {M}",
        "no {N} {N_is} here and no {M} {M_is} here",
        "without {a_N} or {a_M}",
        "{a_N} {N_is} absent and so {M_is} {a_M}",
        "the {N} {N_is} missing and the {M} {M_is} missing too",
        "this drawing includes neither {a_N} nor {a_M}",
        "there {N_is} not {a_N} and there {M_is} not {a_M}",
        "you can see neither {a_N} nor {a_M}",
    ),
    held_out=(
        "neither {a_N} nor {a_M} can be seen",
        "there {N_is} no {N} here and no {M}",
        "the drawing contains neither {a_N} nor {a_M}",
    ),
)

# What is left of a held-out pattern of NEGATION_LAST or NEGATION_FIRST that does not say what is absent.
UNNEGATED = {
    "an image of {P} with no {N}": "an image of {P}",
    "{P} {is} here but {a_N} {N_is} not": "{P} {is} here",
    "the scene shows {P} and lacks {a_N}": "the scene shows {P}",
    "we see {P}, and the {N} {N_is} nowhere to be seen": "we see {P}",
    "there {N_is} no {N} here, but {P} can be seen": "{P} can be seen",
    "without any {N}, this picture shows {P}": "this picture shows {P}",
    "{a_N} {N_is} missing, but {P} {is} visible": "{P} {is} visible",
}

# A caption that somebody wrote, and one absent thing woven into it; for training alone. {caption} stands where a
# sentence may begin, {continued} where it goes on.
WOVEN = (
    "{caption}, but there {N_is} no {N}",
    "{caption}, but there {N_is} no {N} in sight",
    "{caption}, with no {N} to be seen",
    "{caption}, and {a_N} {N_is} nowhere in the picture",
    "{caption}; {a_N} {N_is} not there",
    "{caption}. The {N} {N_is} absent",
    "There {N_is} no {N}, but {continued}",
    "No {N} {N_is} in the picture, but {continued}",
    "With no {N} in sight, {continued}",
    "Without any {N}: {continued}",
    "The {N} {N_is} missing, yet {continued}",
    "The picture does not show {a_N}, but {continued}",
)
