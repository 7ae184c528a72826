"""Readers of other people's files: each gives rows, and says where their media are."""
