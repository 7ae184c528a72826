"""Training objectives: losses of embeddings, written for the global batch; one file per objective, and one table."""
