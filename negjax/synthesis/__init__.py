"""Negation data from object labels: sentence patterns, captions, questions, truth tables and retrieval queries."""
