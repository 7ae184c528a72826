"""Every measure runs on a tiny model, through the code of training and evaluation, and its figures are sane."""

import json
import math

import numpy as np
import pytest
from support.command import environment_without, run_command, run_process

from negjax.bench import worker
from negjax.bench.drawn import CAPTION_LENGTHS, NEGATED_LENGTHS, OPTION_LENGTHS, WORDS, draw_captions, draw_picture
from negjax.bench.inputs import draw_inputs
from negjax.bench.measures.table import MEASURES
from negjax.bench.settings import BenchSettings
from negjax.bench.timings import figures
from negjax.media.decoding import decode
from negjax.models.flops import image_flops, text_flops
from negjax.models.presets import preset
from negjax.tokenizers.clip import Tokenizer


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> BenchSettings:
    folder = str(tmp_path_factory.mktemp("bench"))
    made = BenchSettings(folder, "tiny", batch=8, images=6, captions=40, data_dir=folder)
    draw_inputs(made)
    return made


@pytest.mark.parametrize(
    ("name", "items", "unit"),
    [
        ("encode_image", 6, "images"),
        ("encode_text", 40, "captions"),
        ("input", 32, "examples"),
        ("evaluation", 18, "rows"),
    ],
)
def test_measure(settings, name, items, unit):
    work = worker.prepare(MEASURES[name].target, settings, warmup=1)
    row = figures([worker.time_round(), worker.time_round()], work.describe(), *work.peak_bytes())
    assert 0 < row["min"] <= row["median"] <= row["max"] < 120
    assert (row["items"], row["unit"], row["memory_of"]) == (items, unit, "host")
    assert row["items_per_second"] == items / row["median"]
    assert row["peak_bytes"] > 1e8
    assert row["mfu"] is None
    if name == "encode_image":
        assert row["flops_per_second"] == pytest.approx(6 * image_flops(preset("tiny")) / row["median"])
    if name == "encode_text":  # 30 captions of the retrieval and 10 of the negated retrieval
        longest, shortest = (40 * text_flops(preset("tiny"), n) / row["median"] for n in (28, 9))
        assert shortest < row["flops_per_second"] < longest
    assert all(math.isfinite(x) for values in work.results.values() for x in values)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_measures_everything(tmp_path):
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # compiled once a process
    env = environment_without("XLA_FLAGS") | {"XLA_FLAGS": flags}
    words = ["--arch", "tiny", "--batch", 4, "--images", 4, "--captions", 8, "--rounds", 3, "--json"]
    done = run_process("bench", *words, tmp_path / "b.json", env=env)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "b.json").read_text())
    assert list(results["measures"]) == list(MEASURES)
    assert results["settings"]["arch"] == "tiny"
    for name, row in results["measures"].items():
        assert len(row["seconds"]) == (MEASURES[name].most_rounds or 3)
        assert row["median"] == np.median(row["seconds"])
        assert row["peak_bytes"] > 1e8
        assert name in done.stdout
    rows = results["measures"]
    for name in ("contrastive", "mcq", "negfull"):
        assert rows[name]["items"] == 4
        assert rows[name]["flops_per_second"] > 0
        assert 0.1 < rows[name]["real_token_share"] <= 1
    for name in ("checkpoint_save", "checkpoint_restore"):  # parameters and two moments, float32
        assert rows[name]["unit"] == "MB"
        assert 1 < rows[name]["items"] < 500
    assert rows["compile"]["median"] > rows["negfull"]["median"]


def test_drawn_captions_have_the_lengths_of_real_ones():
    rng, lengths = np.random.default_rng(0), Tokenizer().lengths
    assert set(lengths(WORDS)) == {3}
    for at, mean in ((CAPTION_LENGTHS, 13.5), (NEGATED_LENGTHS, 22.4), (OPTION_LENGTHS, 11.5)):
        for count in (8, 1000):
            drawn = lengths(draw_captions(count, at, rng))
            assert abs(np.mean(drawn) - mean) < 0.8
            assert at[0] <= min(drawn) <= max(drawn) <= at[-1]
    assert len(set(draw_captions(1000, CAPTION_LENGTHS, rng))) == 1000


def test_a_drawn_picture_is_as_large_as_a_photograph():
    content = draw_picture(np.random.default_rng(0))
    assert decode(content, "drawn").size == (640, 480)
    assert 8e4 < len(content) < 25e4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--measures", "step"], "unknown step; choose from contrastive, mcq"),
        (["--set", "negfull"], "--data-dir"),
        (["--data-dir", "data"], "--set or --tasks"),
        (["--json", "/dev/null/b.json"], "cannot write to /dev/null"),
    ],
)
def test_wrong_flags(capsys, words, message):
    code, _, err = run_command(capsys, "bench", *words)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
