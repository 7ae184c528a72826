"""Absent objects: never what captions speak of, and seldom what is there after all."""

from collections import Counter

import numpy as np
import pytest

from negjax.datasets.sources.table_source import read_rows
from negjax.synthesis.absent import Names, choose_names, count_occurrences, propose
from negjax.synthesis.extract import extract

DRAW = {"count": 3, "max_risk": 0.01, "temperature": 0.5}


def test_candidates_that_a_name_rules_out():
    names = Names(("dog", "animal", "puppy", "cat", "man", "woman", "roof", "house", "truck", "coffee table"))

    def related(name):
        return {names.names[n] for n in names.related(name)}

    assert related("dog") == {"dog", "animal", "puppy"}
    assert related("girl") == {"man", "woman"}
    assert related("church") >= {"roof"}
    assert related("table") == {"coffee table"}
    assert related("unknown truck") == {"truck"}


def test_what_is_part_of_the_same_scene_is_not_denied_beside_it():
    names = Names(("lake", "beach", "dog", "cliff", "stone wall", "boot", "roadway"))
    assert {names.names[n] for n in names.related("water")} == {"lake", "beach"}
    assert {names.names[n] for n in names.related("mountain")} == {"cliff"}
    assert [names.names[n] for n in names.background] == ["stone wall", "boot", "roadway"]


def test_frequent_names_are_candidates():
    assert choose_names(Counter({"dog": 5, "cat": 9, "bird": 4})) == ("cat", "dog")


def test_counts_include_what_is_more_general():
    images = [(["dog"], [1], 1), (["puppy"], [1], 1), (["cat"], [1], 1)]
    occurrences = count_occurrences(["dog", "cat"], images, complete=True)
    assert occurrences.together_NN.tolist() == [[2, 0], [0, 1]]
    assert occurrences.images == 3


def test_the_share_that_captions_miss():
    """30 images mention a boat once and 15 twice: 30^2 / (2 x 15) = 30 more have one; a prior of 10 images is added."""
    images = [(["boat"], [1], 5)] * 30 + [(["boat"], [2], 5)] * 15 + [([], [], 5)] * 55
    odds = count_occurrences(["boat"], images, complete=False).missed_odds_N
    assert odds.tolist() == pytest.approx([(30 + 10 * 0.4 / 0.6) / 55])
    assert count_occurrences(["boat"], images, complete=True).missed_odds_N.tolist() == [0]


def test_complete_labels_give_expected_objects_first():
    images = [(["dog", "frisbee"], [1, 1], 1)] * 20 + [(["dog"], [1], 1)] * 5 + [(["kite"], [1], 1)] * 30
    occurrences = count_occurrences(["dog", "frisbee", "kite"], images, complete=True)
    rng = np.random.default_rng(0)
    proposals = propose(["dog"], [], occurrences, count=2, max_risk=0.01, temperature=0.01, rng=rng)
    assert [proposal.name for proposal in proposals] == ["frisbee", "kite"]
    assert all(proposal.risk == 0 for proposal in proposals)
    assert not propose(["dog"], ["frisbee", "kite"], occurrences, rng=rng, **DRAW)


@pytest.mark.parametrize(("captions", "most"), [(5, 0.01), pytest.param(1, 0.012, marks=pytest.mark.slow)])
def test_few_of_the_proposals_are_there_after_all(coco, test_data, captions, most):
    """From COCO's captions alone; judged by its labels, for objects of these names and their kinds."""
    path = test_data / "negbench" / "images" / "COCO_val_retrieval.csv"
    rows = []
    for row in read_rows(path, "captions"):
        found = [extract(caption) for caption in row.record["captions"][:captions]]
        mentions = Counter(name for extracted in found for name in extracted.present)
        names = {name for extracted in found for name in (*extracted.mentioned, *extracted.denied)}
        rows.append((list(mentions), list(mentions.values()), len(found), names))
    frequent = choose_names(Counter(name for row in rows for name in row[0]))
    occurrences = count_occurrences(frequent, (row[:3] for row in rows), complete=False)
    labels = Names(tuple(sorted(set().union(*coco) - {"mouse", "orange"})))
    judged = wrong = 0
    for image in range(0, 5_000, 8):
        objects, _, _, names = rows[image]
        for proposal in propose(objects, names, occurrences, rng=np.random.default_rng([0, image]), **DRAW):
            shown = {labels.names[n] for n in labels.general(proposal.name)}
            judged += bool(shown)
            wrong += bool(shown & coco[image])
    assert judged > 500
    assert wrong / judged <= most
