"""What is computed: the CLIP architecture, its named presets and its initial weights."""
