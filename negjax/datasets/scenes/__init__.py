"""Scenes: pictures of everyday objects, drawn by code, and what can be said and asked about them."""
