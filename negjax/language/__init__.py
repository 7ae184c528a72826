"""English that denies: cue words of negation, and the small words that go with a name."""
