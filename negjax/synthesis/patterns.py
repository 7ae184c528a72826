"""The sentence patterns: how presence and absence are said. Each comes in a part for training and a part held out.

In a pattern {P} stands for the list of what is there ("a cat and a key"), {is} for "is" or "are" to go with it, {N}
for the absent thing's name ("dog"), {a_N} for the same with its article and {M} for a second absent name.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patterns:
    """Sentence patterns of one kind: those a model may be trained on, and those kept for testing alone."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


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
        "there {is} {P} but there is no {N}",
        "this image shows {P} but not {a_N}",
        "the picture includes {P} but lacks {a_N}",
        "{P} can be seen, but {a_N} cannot",
        "{P} {is} present and the {N} is absent",
        "{P}, with no {N} in sight",
        "{P}, but the {N} is missing",
        "{P}, and {a_N} is nowhere to be seen",
        "the drawing has {P} but it does not have {a_N}",
        "{P} {is} shown here, yet no {N} is present",
        "this picture contains {P} and does not contain {a_N}",
        "you can see {P} but you cannot see {a_N}",
        "here {is} {P}, but there is no {N}",
        "the image contains {P} and lacks any {N}",
        "{P} {is} visible while {a_N} is missing",
        "we see {P} but we do not see {a_N}",
        "the scene has {P} and no {N}",
        "{P} {is} in this picture but {a_N} is not in it",
        "someone drew {P} but did not draw {a_N}",
        "this drawing features {P} but not {a_N}",
    ),
    held_out=(
        "an image of {P} with no {N}",
        "{P} {is} here but {a_N} is not",
        "the scene shows {P} and lacks {a_N}",
        "we see {P}, and the {N} is nowhere to be seen",
    ),
)

# The same with the absent thing named first.
NEGATION_FIRST = Patterns(
    train=(
        "no {N}, but {P}",
        "no {N} is present, but {P} {is}",
        "without {a_N}, but with {P}",
        "there is no {N}, but there {is} {P}",
        "{a_N} is absent, but {P} can be seen",
        "{a_N} is nowhere to be seen, but {P} {is} here",
        "not {a_N} but {P}",
        "the scene lacks {a_N} and shows {P}",
        "the {N} is missing, but {P} {is} in the picture",
        "no {N} can be seen, though {P} can",
        "the {N} is not here, but {P} {is}",
        "lacking {a_N}, this scene shows {P}",
        "there is not {a_N}, but there {is} {P}",
        "no {N} is here, but you can see {P}",
        "you cannot see {a_N}, but you can see {P}",
        "without {a_N}, the image has {P}",
        "this picture does not show {a_N} but shows {P}",
        "with no {N} in sight, we see {P}",
        "there is no {N} in the picture, which shows {P}",
        "{a_N} is not present, but {P} {is}",
        "{a_N} cannot be seen, yet {P} can",
    ),
    held_out=(
        "there is no {N} here, but {P} can be seen",
        "without any {N}, this picture shows {P}",
        "{a_N} is missing, but {P} {is} visible",
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
        "there is no {N}",
        "no {N} is present",
        "no {N} can be seen",
        "a picture without {a_N}",
        "this picture does not include {a_N}",
        "the image does not show {a_N}",
        "the scene lacks {a_N}",
        "the {N} is absent",
        "{a_N} is nowhere to be seen",
        "there is not {a_N} in this drawing",
        "{a_N} is not here",
        "{a_N} cannot be seen",
        "we do not see {a_N}",
        "an image with no {N}",
        "a scene without any {N}",
        "the drawing does not have {a_N}",
        "the drawing does not feature {a_N}",
        "the picture features no {N}",
        "the {N} is missing",
        "no {N} is in this scene",
        "{a_N} is not visible in this image",
        "you cannot see {a_N} here",
        "this picture does not feature {a_N}",
        "this image does not show {a_N}",
        "the image does not include {a_N}",
    ),
    held_out=(
        "no {N} in the picture",
        "{a_N} is not in this scene",
        "the drawing does not contain {a_N}",
    ),
)

# Two absent things and nothing else.
NEITHER = Patterns(
    train=(
        "neither {a_N} nor {a_M}",
        "there is neither {a_N} nor {a_M}",
        "no {N} and no {M}",
        "a picture with neither {a_N} nor {a_M}",
        "a scene without {a_N} and without {a_M}",
        "there is no {N} and no {M} in the picture",
        "the image shows neither {a_N} nor {a_M}",
        "the {N} and the {M} are both absent",
        "{a_N} and {a_M} are nowhere to be seen",
        "this picture lacks {a_N} and {a_M}",
        "neither {a_N} nor {a_M} is here",
        "we see neither {a_N} nor {a_M}",
        "a picture of neither {a_N} nor {a_M}",
        "the scene has no {N} and no {M}",
        "no {N} is here and no {M} is here",
        "without {a_N} or {a_M}",
        "{a_N} is absent and so is {a_M}",
        "the {N} is missing and the {M} is missing too",
        "this drawing includes neither {a_N} nor {a_M}",
        "there is not {a_N} and there is not {a_M}",
        "you can see neither {a_N} nor {a_M}",
    ),
    held_out=(
        "neither {a_N} nor {a_M} can be seen",
        "there is no {N} here and no {M}",
        "the drawing contains neither {a_N} nor {a_M}",
    ),
)
