"""Negation figures that can be trusted: ties by expectation, intervals by image, blind controls beside."""
