"""Negation without training: from a caption that is split into what it asks and what it excludes to query vectors."""
