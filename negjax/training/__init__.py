"""The training step, and the loop that runs it."""
