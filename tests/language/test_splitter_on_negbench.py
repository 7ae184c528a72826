"""The splitter on NegBench's files. tools/splitter_table.py, which counts, also prints what is not as expected."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def splitter_table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("splitter_table")


@pytest.mark.slow
def test_denied_objects_of_coco(splitter_table: ModuleType, test_data: Path) -> None:
    denied, kept = splitter_table.denied_objects(test_data / "negbench")
    assert denied.total > 25_000
    assert denied.share >= 0.995
    assert kept.share >= 0.997


@pytest.mark.slow
def test_options_of_coco_questions(splitter_table: ModuleType, test_data: Path) -> None:
    affirmed, denied = splitter_table.questions_of_coco(test_data / "negbench")
    assert min(affirmed.total, denied.total) > 15_000
    assert affirmed.share >= 0.998
    assert denied.share >= 0.998


def test_options_of_videos(splitter_table: ModuleType, test_data: Path) -> None:
    count = splitter_table.agreement_on_videos(test_data / "negbench")
    assert count.total == 4_000
    assert count.share >= 0.985


@pytest.mark.slow
def test_plain_captions_are_left_alone(splitter_table: ModuleType, test_data: Path) -> None:
    for count in splitter_table.plain_captions(test_data):
        assert count.total >= 4_000
        assert count.share >= 0.995, count
