"""Scores without the image: what a task gives away."""
