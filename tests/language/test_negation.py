"""Negation cues: texts that hold one, and texts that only look like it."""

import pytest

from negjax.language.negation import is_negated

NEGATED = [
    "This image has no dog",
    "A dog isn't in this image.",
    "A dog isn’t here",
    "Nothing but a cat",
    "the picture lacks a dog",
    "This video is dog-free",
    "free of dogs",
    "Absent from this video is a dog.",
    "The absence of dogs is notable",
    "A cat, minus the dog",
    "it leaves the dog out",
    "dogs are left out",
    "cats rather than dogs",
    "This video excludes dogs",
    "Neither a cat nor a dog",
    "a dog is nowhere to be seen",
    "an image devoid of dogs",
    "You won't find dogs",
    "Dogs are nonexistent here",
]
AFFIRMED = [
    "",
    "A dog and a cat.",
    "a knot and a notebook",
    "a dog runs free",
    "not only a dog but also a cat",
    "a bottle of minuscule size",
    "she leaves the house",
]


@pytest.mark.parametrize("text", NEGATED)
def test_a_negation_cue_is_recognised(text):
    assert is_negated(text)
    assert is_negated(text.upper())


@pytest.mark.parametrize("text", AFFIRMED)
def test_affirmation_is_not_taken_for_negation(text):
    assert not is_negated(text)
