"""The input pipeline: from stored sets to batches of arrays, with Grain."""
