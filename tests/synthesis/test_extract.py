"""Objects of captions: rules on sentences, and precision and recall against COCO's labels."""

import pytest

from negjax.datasets.sources.table_source import read_rows
from negjax.language.lexicon import lexicon
from negjax.synthesis.extract import extract

# COCO's names -> the names of the lexicon that show them, with all their kinds; where not the name itself.
# "dining table" is any table; "mouse" and "orange" are ambiguous in captions and never extracted.
COCO_NAMES = {
    "cell phone": ["cell phone", "phone"],
    "cow": ["cow", "cattle"],
    "dining table": ["table"],
    "hair drier": ["hand blower"],
    "mouse": [],
    "orange": [],
    "potted plant": ["houseplant"],
    "remote": ["remote control"],
    "sports ball": ["ball", "soccer ball", "tennis ball"],
    "tv": ["television"],
}


@pytest.mark.parametrize(
    ("caption", "present"),
    [
        ("A man rides a horse on the beach", ["man", "horse", "beach"]),
        ("two firetrucks, a fire truck and some people", ["fire engine", "person"]),
        ("A fire hydrant beside a stop sign", ["fire hydrant", "stop sign"]),
        ("a horse statue near a train station", ["statue", "train station"]),
        ("a painting of a horse above the sofa", ["sofa"]),
        ("a toy car and a real truck", ["truck"]),
        ("a kite that looks like a boat", ["kite"]),
        ("Three teddy bears on a bed.", ["teddy bear", "bed"]),
        ("a man stands by his bikes", ["man", "bicycle"]),
        ("bat and glass", []),
        ("", []),
        ("<b>犬</b> 🐕 &nbsp; собака", []),
        ("ein Hund und eine Katze", []),
    ],
)
def test_objects(caption, present):
    extracted = extract(caption)
    assert list(extracted.present) == present
    assert not extracted.denied


@pytest.mark.parametrize(
    ("caption", "present", "denied"),
    [
        ("A beach without people", ["beach"], ["person"]),
        ("There is no dog in the kitchen", ["kitchen"], ["dog"]),
        ("neither a cat nor a dog", [], ["cat", "dog"]),
    ],
)
def test_denied_objects_are_kept_apart(caption, present, denied):
    extracted = extract(caption)
    assert (list(extracted.present), list(extracted.denied)) == (present, denied)
    assert set(present) | set(denied) <= set(extracted.mentioned)


@pytest.mark.parametrize("caption", ["a dog and no dog", "not without a dog", "dog " * 3_000])
def test_captions_that_claim_nothing(caption):
    extracted = extract(caption)
    assert extracted.remark
    assert not extracted.present
    assert not extracted.denied


def test_precision_and_recall_on_coco(coco, test_data):
    """The published figures of a list of 320 synonyms are .933 / .437 for one caption and .849 / .598 for five."""
    things = lexicon()
    names = {
        things.names[things.singular(shown)]: name
        for name in sorted(set().union(*coco))
        for shown in COCO_NAMES.get(name, [name])
    }
    of_name = {}

    def labels(name):
        if name not in of_name:
            of_name[name] = {names[meaning] for meaning in things.general(things.names[name]) if meaning in names}
        return of_name[name]

    path = test_data / "negbench" / "images" / "COCO_val_retrieval.csv"
    hits, found, there = [0, 0], [0, 0], 0
    for row, objects in zip(read_rows(path, "captions"), coco, strict=True):
        per_caption = [{label for name in extract(c).present for label in labels(name)} for c in row.record["captions"]]
        there += len(objects)
        for i, extracted in enumerate((per_caption[0], set().union(*per_caption))):
            hits[i] += len(extracted & objects)
            found[i] += len(extracted)
    precision, recall = ([hit / count for hit, count in zip(hits, counts)] for counts in (found, [there] * 2))
    assert precision[0] >= 0.945
    assert recall[0] >= 0.40
    assert precision[1] >= 0.88
    assert recall[1] >= 0.575
