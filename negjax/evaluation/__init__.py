"""Evaluation of negation: ties credited by expectation, intervals over images, and blind control figures."""
