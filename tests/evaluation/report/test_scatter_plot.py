"""Sentences as points in a plane."""

from negjax.evaluation.report.scatter_plot import SentencePoint, scatter_plot


def test_sentences_are_points_and_pairs_are_joined():
    square = [
        SentencePoint("dog", "affirmation", 0, 0),
        SentencePoint("cat", "affirmation", 1, 1),
        SentencePoint("cat", "both", 0.5, 0.2),
    ]
    more = [*square, SentencePoint("dog", "both", 0.2, 0.5)]
    marks = [scatter_plot(points).count("<use ") for points in (square, more)]
    lines = [scatter_plot(points).count("stroke: #bbbbbb") for points in (square, more)]
    assert marks[1] - marks[0] == 1
    assert lines == [1, 2]
