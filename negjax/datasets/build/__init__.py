"""Builds sets from sources: evaluation sets in one go, training sets in shards."""
