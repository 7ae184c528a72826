"""Stored sets: TFDS data sets as ArrayRecord, written and read without TensorFlow."""
