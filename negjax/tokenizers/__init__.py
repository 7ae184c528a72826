"""Text to token ids: CLIP's byte-pair encoding, and the tokenizers that other models bring."""
