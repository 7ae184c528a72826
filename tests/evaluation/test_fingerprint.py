"""The sums of a set tell apart what was asked, and nothing else."""

import hashlib
import json

import pytest
from support.images import noise_png
from support.report_runs import set_sums

from negjax.datasets.stored.store import open_set, write_set
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.fingerprint import UNKNOWN, SetFingerprint, set_difference

ROWS = [{"media": noise_png(i), "options": [f"a {i}", f"no {i}"], "answer": i % 2, "kind": "k"} for i in range(4)]


def changed(index, **columns):
    return [row | columns if i == index else row for i, row in enumerate(ROWS)]


def write(folder, rows, fields=("question",), **metadata):
    described = {"task_kind": "mcq", "negated": True, "source": {}} | metadata
    write_set(folder, "asked", lambda: iter(rows), fields, described)
    return set_sums(folder, "asked")


@pytest.mark.parametrize(
    ("rows", "difference"),
    [
        (ROWS, ""),
        (changed(2, options=["a 2", "not 2"]), "other questions"),
        (changed(2, answer=1), "other questions"),
        (changed(2, kind="other"), "other questions"),
        (changed(2, group=7), "other questions"),
        (ROWS[::-1], "other questions and media"),
        (changed(2, media=noise_png(9)), "other media"),
        (changed(2, media=noise_png(9), answer=1), "other questions and media"),
        (ROWS[:3], "other questions and media"),
    ],
)
def test_what_makes_a_set_another_one(tmp_path, rows, difference):
    first = write(tmp_path / "a", ROWS)
    other = write(tmp_path / "b", rows, source={"file": "elsewhere.csv"})
    assert set_difference({"set": first}, {"set": other}) == difference


def test_columns_that_are_not_asked_change_nothing(tmp_path):
    more = [row | {"captions": ["a thing"]} for row in ROWS]
    assert write(tmp_path / "a", ROWS) == write(tmp_path / "b", more, ("question", "captions"))


def test_prompts_are_asked(tmp_path):
    rows = [{"media": noise_png(i), "label": i} for i in range(2)]
    sums = [
        write(tmp_path / f"{i}", rows, ["label"], task_kind="zeroshot", classnames=["dog", "cat"], templates=[template])
        for i, template in enumerate(("a {}", "no {}"))
    ]
    assert set_difference({"set": sums[0]}, {"set": sums[1]}) == "other questions"


def test_results_record_the_sums(model, tmp_path):
    write(tmp_path, ROWS)
    result = evaluate(model, [open_set(tmp_path, "asked")], progress=False, bootstrap=0).results["tasks"]["asked"]
    questions = hashlib.sha256(b"{}")
    for i, row in enumerate(ROWS):
        questions.update(json.dumps([i, 0, row["options"], row["answer"], row["kind"], []]).encode())
    media = hashlib.sha256("".join(hashlib.sha256(row["media"]).hexdigest() for row in ROWS).encode())
    assert result["set"] == {"questions": questions.hexdigest(), "media": media.hexdigest()}


def test_without_sums_it_is_not_known():
    assert set_difference({}, {"set": {"questions": "a", "media": "b"}}) == set_difference({}, {}) == UNKNOWN


def test_media_that_are_not_those_of_their_sum(tmp_path):
    """Else a foreign set would put the embedding of one picture into the cache under the name of another."""
    write(tmp_path, ROWS)
    data = open_set(tmp_path, "asked")
    with pytest.raises(NegjaxError, match=r"set asked, row 1 is damaged.*media_sha256.*build the set again"):
        SetFingerprint(data).add(data[1] | {"media": noise_png(3)})
