"""Real labels: those of NegBench's COCO file."""

import pytest

from negjax.datasets.sources.table_source import read_rows


@pytest.fixture(scope="session")
def coco(test_data) -> list[set[str]]:
    """The objects of each of COCO's 5,000 images, as labelled."""
    path = test_data / "negbench" / "images" / "COCO_val_retrieval.csv"
    return [set(row.record["positive_objects"]) for row in read_rows(path, "captions")]
