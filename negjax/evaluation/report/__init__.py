"""Finished evaluations as one page, and as tables for other programs."""
