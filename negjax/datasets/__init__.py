"""Data sets written by TFDS as ArrayRecord, without TensorFlow: drawn scenes, and sets read from files."""
