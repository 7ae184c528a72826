"""Pixels: decoding, resizing, cropping."""
