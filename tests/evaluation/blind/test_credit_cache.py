"""Fitted credits on disk: computed once, again after damage, and never found for other questions."""

import logging

import numpy as np
import pytest
from support.models import tiny_model

from negjax.evaluation.blind import text_credits as module
from negjax.evaluation.blind.credit_cache import CreditCache
from negjax.evaluation.evaluate import evaluate

CREDITS = np.array([0.25, 1.0, 1 / 3])


def test_what_was_computed_is_kept(tmp_path):
    for computed in ([CREDITS], []):
        got = CreditCache(tmp_path).get(["a", 1], iter(computed).__next__)
        np.testing.assert_array_equal(got, CREDITS)
    np.testing.assert_array_equal(CreditCache(tmp_path).get(["a", 2], lambda: CREDITS + 1), CREDITS + 1)
    np.testing.assert_array_equal(CreditCache(None).get(["a", 1], lambda: CREDITS + 2), CREDITS + 2)


def test_none_is_not_kept(tmp_path):
    assert CreditCache(tmp_path).get(["a"], lambda: None) is None
    assert not list(tmp_path.rglob("*.credits"))


@pytest.mark.parametrize("damage", [lambda b: b[:-8], lambda b: b"", lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:]])
def test_a_damaged_file_is_told_and_computed_again(tmp_path, caplog, damage):
    CreditCache(tmp_path).get(["a"], lambda: CREDITS)
    (file,) = tmp_path.rglob("*.credits")
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(CreditCache(tmp_path).get(["a"], lambda: CREDITS), CREDITS)
    assert f"{file} was altered" in caplog.text
    caplog.clear()
    CreditCache(tmp_path).get(["a"], pytest.fail)
    assert not caplog.text


def test_credits_of_another_key_are_not_taken(tmp_path, caplog):
    CreditCache(tmp_path).get(["a"], lambda: CREDITS)
    (first,) = tmp_path.rglob("*.credits")
    CreditCache(tmp_path).get(["b"], lambda: CREDITS + 1)
    (second,) = set(tmp_path.rglob("*.credits")) - {first}
    first.replace(second)
    np.testing.assert_array_equal(CreditCache(tmp_path).get(["b"], lambda: CREDITS + 1), CREDITS + 1)
    assert "was altered" in caplog.text


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, caplog):
    (tmp_path / "text_only").write_text("a file")
    cache = CreditCache(tmp_path)
    with caplog.at_level(logging.WARNING):
        for key in "ab":
            np.testing.assert_array_equal(cache.get([key], lambda: CREDITS), CREDITS)
    assert caplog.text.count("are not kept") == 1


def test_a_second_evaluation_fits_nothing(tmp_path, scenes, monkeypatch):
    from negjax.datasets.stored.store import open_set

    sets = [open_set(scenes, name) for name in ("scenes_mcq", "scenes_truth_table")]
    model = tiny_model()
    kept, plain = (evaluate(model, sets, cache_dir=folder, bootstrap=0, progress=False) for folder in (tmp_path, None))
    assert kept.results["tasks"] == plain.results["tasks"]
    assert "text_only_from_scenes_truth_table" in kept.results["tasks"]["scenes_mcq"]["blind"]
    monkeypatch.setattr(module, "cross_validated_credit", pytest.fail)
    monkeypatch.setattr(module, "transfer_credit", pytest.fail)
    again = evaluate(model, sets, cache_dir=tmp_path, bootstrap=0, progress=False)
    assert again.results["tasks"] == plain.results["tasks"]
