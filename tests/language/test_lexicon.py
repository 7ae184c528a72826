"""The lexicon of things: what WordNet says of common objects."""

import pytest

from negjax.language.lexicon import lexicon


@pytest.mark.parametrize(
    ("name", "singular"),
    [
        ("dogs", "dog"),
        ("fire trucks", "fire truck"),
        ("women", "woman"),
        ("knives", "knife"),
        ("buses", "bus"),
        ("ponies", "pony"),
        ("glass", "glass"),
        ("benches", "bench"),
        ("running", ""),
        ("", ""),
    ],
)
def test_singular(name, singular):
    assert lexicon().singular(name) == singular


@pytest.mark.parametrize(
    ("first", "second", "related"),
    [
        ("dog", "puppy", True),
        ("dog", "animal", True),
        ("sofa", "couch", True),
        ("man", "girl", True),
        ("roof", "church", True),
        ("dog", "cat", False),
        ("car", "horse", False),
        ("frisbee", "umbrella", False),
    ],
)
def test_related(first, second, related):
    things = lexicon()
    meanings = things.names[first], things.names.get(second, things.unclear.get(second, (0,))[0])
    assert things.related(*meanings) == things.related(*reversed(meanings)) == related


def test_ambiguous_words_show_nothing():
    assert not {"bat", "glass", "seat", "vehicle", "mouse", "orange", "light", "set"} & lexicon().names.keys()
