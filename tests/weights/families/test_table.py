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
    """No format holds the marker of another."""
    for format in all_formats():
        names = {name for row in format.rows for name in row.names}
        markers = {other.marker for other in all_formats() if other.marker in names}
        assert markers == {format.marker}


def test_an_unknown_family_is_named():
    with pytest.raises(NegjaxError, match=r"unknown family .blip. of the architecture tiny; choose one of siglip,"):
        family_of(dataclasses.replace(preset("tiny"), family="blip"))
