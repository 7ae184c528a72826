"""Families of weights: one file a family, one line each in `negjax.weights.families.table`."""
