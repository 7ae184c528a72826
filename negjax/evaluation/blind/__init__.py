"""Blind control figures: scores that are reached without the image."""
