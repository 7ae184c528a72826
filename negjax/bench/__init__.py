"""Measurements of speed and memory, of this package alone and in turns with open_clip in PyTorch."""
