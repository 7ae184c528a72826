"""CLIP models: architecture, named presets and initial weights."""
