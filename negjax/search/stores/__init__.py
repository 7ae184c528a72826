"""Existing engines that keep the vectors of an index in place of its own array: a file each, and one table."""
