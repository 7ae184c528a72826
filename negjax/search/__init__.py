"""Searching a folder of images and clips: its index, exact search with negated queries, and pages of results."""
