"""What is optimised: losses of embeddings, written for the whole (global) batch; one file an objective, one table."""
