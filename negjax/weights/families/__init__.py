"""Families of weights: one file per family, and one line each in `negjax.weights.families.table`."""
