"""Fine-tuning on real photographs from end to end, from weights in open_clip's layout to two losses that fall."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment_without
from support.metrics import logged_lines

from negjax.datasets.stored.store import open_set

TOOL = Path(__file__).parents[1] / "tools" / "finetune_flickr.py"


@pytest.mark.slow
def test_both_losses_fall_on_a_negfull_set_of_flickr8k(test_data, tmp_path):
    words = ["--photos", test_data / "flickr8k", "--folder", tmp_path, "--arch", "tiny-quickgelu"]
    words += ["--steps", "60", "--batch-size", "64", "--learning-rate", "1e-3"]
    optimised = environment_without("XLA_FLAGS")  # it computes for long
    done = subprocess.run([sys.executable, TOOL, *map(str, words)], capture_output=True, text=True, env=optimised)
    assert done.returncode == 0, done.stderr
    data = open_set(tmp_path / "sets", "negfull")
    assert data.fields == ("captions", "negated_captions", "question")
    assert (len(data), data.metadata["skipped"]["unasked"]["count"]) == (2130, 1870)
    row = data[100]
    assert row["captions"][0].strip(" .").lower() in row["negated_captions"][0].lower()
    lines = logged_lines(tmp_path / "run")
    for name, least in (("negfull/contrastive", 0.1), ("negfull/mcq", 0.1)):
        first, last = (statistics.mean(line[name] for line in part) for part in (lines[:6], lines[-6:]))
        assert last < first - least, (name, first, last)
