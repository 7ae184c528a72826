"""Sets of scenes that are drawn by code: objects as vector shapes, layouts, captions and questions about them."""
