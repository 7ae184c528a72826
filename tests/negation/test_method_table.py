"""How users choose a method: names, constants, where they come from, and files of calibrations."""

import json

import pytest

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.negation.calibration import Calibration, FittedMethod, write_calibration
from negjax.negation.published import PUBLISHED_CONSTANTS
from negjax.negation.scorer import CosineScorer
from negjax.negation.table import METHODS, choose_method

CALIBRATION = Calibration(
    {"arch": "ViT-B-32", "source": "b32.pt", "sha256": "abc"},
    {"name": "voc_mcq", "questions": "q", "media": "m"},
    "accuracy",
    0.4,
    {"lcse": FittedMethod({"midpoint": 0.3}, 0.5, {"slope": [[30, 0.5]]})},
)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_published_constants_of_the_models_family(name):
    chosen = choose_method(name, "clip")
    assert chosen.label == chosen.name == name
    described = chosen.describe()["negation"]
    assert described["method"] == name
    assert described["constants"] == PUBLISHED_CONSTANTS[name]["clip"].constants
    assert set(described["origins"].values()) == {PUBLISHED_CONSTANTS[name]["clip"].source}
    json.dumps(described)
    assert METHODS[name].grid.keys() <= described["constants"].keys()


def test_constants_are_the_familys_own():
    assert choose_method("lcse", "siglip").method.midpoint == 0.05
    space = choose_method("space", "siglip")
    assert space.method.threshold == 0.92
    assert space.origins["threshold"].endswith("none are known for the family siglip")


def test_none_is_the_plain_cosine():
    chosen = choose_method("none", "clip")
    assert chosen.describe() == {}
    assert isinstance(chosen.scorer(lambda caption: Parsed(caption, caption)), CosineScorer)


def test_constants_given_by_hand_and_from_a_file(tmp_path):
    write_calibration(CALIBRATION, tmp_path / "b32.json")
    chosen = choose_method(f"lcse, slope=1e1,lists=true,constants={tmp_path}/b32.json", "clip", "abc")
    assert (chosen.method.midpoint, chosen.method.slope, chosen.method.lists) == (0.3, 10, True)
    assert chosen.label == "lcse,slope=1e1,lists=true,constants=b32"
    assert chosen.origins == {
        "midpoint": "calibrated on voc_mcq",
        "slope": "given by hand",
        "lists": "given by hand",
    }
    assert chosen.describe()["negation"]["calibrated_on"] == CALIBRATION.asked_set
    by_hand = choose_method(f"lcse,midpoint=.4,constants={tmp_path}/b32.json", "clip", "")
    assert (by_hand.method.midpoint, by_hand.origins["midpoint"]) == (0.4, "given by hand")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spice", "unknown negation method 'spice'; choose one of none, subtract, space"),
        ("", "unknown negation method ''"),
        ("none,x=1", "unknown negation method 'none'"),
        ("space,t=0.9", "space: unknown constant 't'; choose one of threshold, constants, as in space,threshold=0.92"),
        ("space,0.9", "unknown constant '0.9'"),
        ("space,threshold", "unknown constant 'threshold'"),
        ("space,", "unknown constant ''"),
        ("space,threshold=high", "threshold is 'high', it must be a number"),
        ("space,threshold=2", "threshold is 2, it must be between -1 and 1"),
        ("space,threshold=.9,threshold=.8", "threshold is given twice"),
        ("projection,cue=1", "cue is '1', it must be true or false"),
        ("space,constants=missing.json", r"cannot read missing.json \(No such file"),
        ("space,constants=.", "cannot read"),
    ],
)
def test_mistakes_are_one_line(text, message):
    with pytest.raises(NegjaxError, match=message):
        choose_method(text, "clip")


def test_calibrations_of_something_else_are_refused(tmp_path):
    path = tmp_path / "c.json"
    write_calibration(CALIBRATION, path)
    with pytest.raises(NegjaxError, match="constants of lcse, not of space"):
        choose_method(f"space,constants={path}", "clip", "abc")
    with pytest.raises(NegjaxError, match=r"calibrated for b32.pt, whose weights are not this model's"):
        choose_method(f"lcse,constants={path}", "clip", "def")
    content = json.loads(path.read_text())

    def fitted(**constants: object) -> dict:
        return content | {"methods": {"lcse": content["methods"]["lcse"] | {"constants": constants}}}

    for damaged in ("[", "{}", fitted(midpoint="x"), content | {"asked_set": {}}):
        path.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
        with pytest.raises(NegjaxError, match="is not a file of negjax calibrate"):
            choose_method(f"lcse,constants={path}", "clip", "abc")
    path.write_text(json.dumps(fitted(threshold=0.9)))
    with pytest.raises(NegjaxError, match="lcse has no constant threshold"):
        choose_method(f"lcse,constants={path}", "clip", "abc")
