"""Runs are read from their folders and named after them."""

import pytest
from support.report_runs import make_runs

from negjax.errors import NegjaxError
from negjax.evaluation.report.runs import read_runs


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_two_runs_of_one_name(folders):
    with pytest.raises(NegjaxError, match=r"two results are called .*before"):
        read_runs([folders[0], folders[0]])


def test_runs_of_one_name_get_their_parents(folders, tmp_path):
    other = tmp_path / "again/before"
    other.mkdir(parents=True)
    (other / "results.json").write_text((folders[0] / "results.json").read_text())
    assert [run.name for run in read_runs([*folders, other])] == [f"{tmp_path.name}/before", "after", "again/before"]


def test_no_runs():
    with pytest.raises(NegjaxError, match="nothing to report"):
        read_runs([])
