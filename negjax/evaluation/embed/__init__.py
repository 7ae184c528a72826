"""Media and captions to embeddings, each distinct one once, and the cache of them."""
