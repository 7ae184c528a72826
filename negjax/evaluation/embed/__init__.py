"""Embeddings of distinct media and texts, each computed once, and their cache."""
