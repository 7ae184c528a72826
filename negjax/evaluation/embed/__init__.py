"""Media and texts to embeddings, each distinct one once, and the cache of embeddings."""
