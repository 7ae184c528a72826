"""Sets derived from the object labels of a stored set: questions, queries and training data."""
