"""The table of models."""

import json

import pytest
from support.report_runs import make_runs, write_page


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_the_model_line(folders, tmp_path):
    content = json.loads((folders[0] / "results.json").read_text())
    content["model"] = {
        "arch": "ViT-B-32",
        "activation": "gelu",
        "activation_of_weights": "quick_gelu",
        "source": "w.pt",
        "step": 3,
        "sha256": "0123456789abcdef",
    }
    (folders[0] / "results.json").write_text(json.dumps(content))
    _, page = write_page(folders, tmp_path)
    cells = ["before", "ViT-B-32", "gelu (the weights': quick_gelu)", "w.pt, step 3", "0123456789ab", "", "jax 0"]
    assert cells in [[cell.strip() for cell in row] for row in page.tables[""]]
