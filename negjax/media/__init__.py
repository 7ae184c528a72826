"""Pixels: decoding, resizing, cropping and colour augmentation of images and clips."""
