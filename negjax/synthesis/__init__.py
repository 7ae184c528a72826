"""How negation data is made from labels: sentence patterns, captions and questions."""
