"""The table of families agrees with the presets."""

import dataclasses

import pytest

from negjax.errors import NegjaxError
from negjax.models.presets import PRESETS, preset
from negjax.weights.families.table import FAMILIES, all_formats, family_of


def test_every_family_has_presets_and_formats():
    assert {family.name for family in FAMILIES} == {config.family for config in PRESETS.values()}
    for family in FAMILIES:
        assert family.formats
        assert set(family.formats) <= set(all_formats())


def test_markers_tell_formats_apart():
    """A format has its own markers, and all those of another only if that one comes later in the table."""
    for position, format in enumerate(formats := all_formats()):
        names = {name.replace("{i}", "0") for row in format.rows for name in row.names}  # with those of the first block
        assert names.issuperset(format.markers)
        for earlier in formats[:position]:
            assert not names.issuperset(earlier.markers), (format.name, earlier.name)


def test_an_unknown_family_is_named():
    with pytest.raises(NegjaxError, match=r"unknown family .blip. of the architecture tiny; choose one of .*siglip, "):
        family_of(dataclasses.replace(preset("tiny"), family="blip"))
