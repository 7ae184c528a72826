"""Sentence patterns that affirm objects, negate one, or do both; each table has a training part and a held-out part.

A model is trained on sentences of `train` and tested on sentences of `held_out`, which share no pattern. A pattern is
a `str.format` template that `negjax.synthesis.captions.fill_pattern` fills in. Its placeholders are:

    {P}          the objects in the image, with articles, as a list: "a cat and a key"
    {is}         the verb that agrees with {P}: "is" or "are"
    {N}          the name of the absent object, without an article: "dog"
    {a_N}        the same with its indefinite article, if it takes one: "a dog", "skis"
    {N_is}       the verb that agrees with {N}
    {Ns}         the name of several, if it has a plural: "dogs", "skis", "ice"
    {Ns_are}     the verb that agrees with {Ns}
    {not_one_N}  "not a single dog", "no skis", "no ice"
    {M} {a_M} {M_is}   the same three for a second absent object
    {caption}    a caption from elsewhere that begins the sentence (INSERTED_NEGATION only)
    {continued}  the same caption after the beginning of the sentence, with a small first letter (likewise)

The tables are written for drawings; `negjax.synthesis.mediums` adapts them to photographs and clips.

To add a sentence, add a line to a table. The tests check each line: that it says what its table says, that verbs and
articles agree, and that no training sentence contains one of NegBench's templates.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SentencePatterns:
    """Sentence patterns with one meaning.

    Attributes:
        train: patterns for training captions.
        held_out: patterns for test captions, none of which is in `train`.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class PatternTables:
    """The sentence patterns for one medium.

    Attributes:
        affirmative: name the objects in the image and nothing else.
        negation_last: name the objects in the image, then one absent object.
        negation_first: name one absent object, then the objects in the image.
        openers: words before any of these sentences. An empty opener is repeated, as each is drawn equally often.
        absent: name one absent object and nothing else.
        neither: name two absent objects and nothing else.
        inserted: add one absent object to an image's own caption, after it or before it; for training only. They fit
            captions that are sentences, and those that have no verb.
        unnegated: held-out pattern of negation_last or negation_first -> the same without the absent object.
    """

    affirmative: SentencePatterns
    negation_last: SentencePatterns
    negation_first: SentencePatterns
    openers: SentencePatterns
    absent: SentencePatterns
    neither: SentencePatterns
    inserted: tuple[str, ...]
    unnegated: Mapping[str, str]


# Names the objects in the image and nothing else.
AFFIRMATIVE = SentencePatterns(
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

# Names the objects in the image, then one absent object.
NEGATION_LAST = SentencePatterns(
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

# Names one absent object, then the objects in the image.
NEGATION_FIRST = SentencePatterns(
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

# Words before any of these sentences. The empty opener is repeated, because each entry is drawn equally often.
OPENERS = SentencePatterns(
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

# Names one absent object and nothing else.
ABSENT = SentencePatterns(
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

# Names two absent objects and nothing else.
NEITHER = SentencePatterns(
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

# Held-out pattern of NEGATION_LAST or NEGATION_FIRST -> the same pattern without the absent object.
UNNEGATED = {
    "an image of {P} with no {N}": "an image of {P}",
    "{P} {is} here but {a_N} {N_is} not": "{P} {is} here",
    "the scene shows {P} and lacks {a_N}": "the scene shows {P}",
    "we see {P}, and the {N} {N_is} nowhere to be seen": "we see {P}",
    "there {N_is} no {N} here, but {P} can be seen": "{P} can be seen",
    "without any {N}, this picture shows {P}": "this picture shows {P}",
    "{a_N} {N_is} missing, but {P} {is} visible": "{P} {is} visible",
}

# Adds one absent object to an image's own caption, after it or before it; for training only.
INSERTED_NEGATION = (
    "{caption}, but there {N_is} no {N}",
    "{caption}, but there {N_is} no {N} in sight",
    "{caption}, but {a_N} {N_is} nowhere to be seen",
    "{caption}, with no {N} to be seen",
    "{caption}, without any {N}",
    "{caption}. There {N_is} no {N}",
    "{caption}. No {N} {N_is} visible",
    "There {N_is} no {N}, but {continued}",
    "No {N} to be seen, but {continued}",
    "With no {N} in sight, {continued}",
    "Without any {N}: {continued}",
    "No {N} in the picture: {continued}",
    "The picture does not show {a_N}, but {continued}",
)

DRAWINGS = PatternTables(
    AFFIRMATIVE, NEGATION_LAST, NEGATION_FIRST, OPENERS, ABSENT, NEITHER, INSERTED_NEGATION, UNNEGATED
)
