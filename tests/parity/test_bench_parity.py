"""`negjax bench --against open_clip`: its scripts of PyTorch do what they say, and the same as negjax."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from support.command import environment_without, run_process

pytestmark = [pytest.mark.parity, pytest.mark.timeout(900)]
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")

from negjax.bench.against import check_agreement  # noqa: E402
from negjax.bench.exports import write_exports  # noqa: E402
from negjax.bench.inputs import draw_inputs  # noqa: E402
from negjax.bench.measures import compared, encode  # noqa: E402
from negjax.bench.measures.setup import open_tasks  # noqa: E402
from negjax.bench.pytorch import encode as torch_encode  # noqa: E402
from negjax.bench.pytorch import evaluate as torch_evaluate  # noqa: E402
from negjax.bench.pytorch import train as torch_train  # noqa: E402
from negjax.bench.pytorch.peer import load_peer  # noqa: E402
from negjax.bench.settings import BenchSettings  # noqa: E402
from negjax.evaluation.evaluate import evaluate  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402

HOOK = Path(__file__).parents[1] / "support" / "torchvision_hook"


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> BenchSettings:
    folder = str(tmp_path_factory.mktemp("bench"))
    made = BenchSettings(
        folder, "tiny", batch=8, negfull_batch=8, images=24, captions=150, data_dir=folder, torch_compile=False
    )
    draw_inputs(made)
    write_exports(made)
    return made


@pytest.mark.parametrize("name", ["contrastive", "negfull", "shared"])
def test_both_scripts_take_the_same_step(settings, name):
    """The trimmed, joined, fused step has the loss, the gradient and the update of the plain one."""
    plain = getattr(torch_train, f"plain_{name}")(settings).results
    smart = getattr(torch_train, f"smart_{name}")(settings).results
    for key, values in plain.items():
        np.testing.assert_allclose(smart[key], values, rtol=1e-5)
    assert plain["losses"][1] < plain["losses"][0]


def test_negjax_takes_their_step(settings):
    works = {"negjax": compared.negfull(settings), "plain": torch_train.plain_negfull(settings)}
    assert works["negjax"].items == works["plain"].items == 16
    differences = check_agreement("negfull", {side: work.describe() for side, work in works.items()}, 1e-4)
    assert set(differences) == {"plain: losses", "plain: gradient norm"}


@pytest.mark.parametrize("name", ["images", "captions"])
def test_all_encode_the_same(settings, name):
    works = {
        "negjax": getattr(encode, name)(settings),
        "plain": getattr(torch_encode, f"plain_{name}")(settings),
        "smart": getattr(torch_encode, f"smart_{name}")(settings),
    }
    assert len({work.items for work in works.values()}) == 1
    check_agreement(name, {side: work.describe() for side, work in works.items()}, 1e-4)


def test_sorted_captions_come_back_in_order(settings):
    peer = load_peer(settings.folder, "float32")
    tokens = peer.tokens(json.loads(Path(settings.folder, "export", "encode.json").read_text())["captions"])
    torch.testing.assert_close(
        torch_encode.encode_sorted(peer, tokens), torch_encode.encode_padded(peer, tokens), atol=1e-5, rtol=0
    )


def test_all_evaluate_alike(settings):
    peer = load_peer(settings.folder, "float32")
    tasks = json.loads(Path(settings.folder, "export", "tasks.json").read_text())
    plain, smart = torch_evaluate.evaluate_plain(peer, tasks), torch_evaluate.evaluate_smart(peer, tasks)
    model = read_model(f"{settings.folder}/weights")
    own = evaluate(model, open_tasks(settings), progress=False, bootstrap=0).results["tasks"]
    metrics = ("image_retrieval_recall@5", "image_retrieval_recall@5", "accuracy")
    expected = {name: own[name]["metrics"][metric] for name, metric in zip(settings.tasks, metrics)}
    assert plain == pytest.approx(expected, abs=1e-6)
    assert smart == pytest.approx(expected, abs=1e-6)
    assert 0 < min(expected.values()) < 1


def test_the_command_times_them_in_turns(tmp_path):
    path = os.pathsep.join(filter(None, [str(HOOK), os.environ.get("PYTHONPATH")]))
    env = environment_without("XLA_FLAGS") | {"PYTHONPATH": path}
    words = ["--measures", "encode_image", "--arch", "tiny", "--images", 8, "--rounds", 3, "--no-torch-compile"]
    done = run_process("bench", "--against", "open_clip", *words, "--json", tmp_path / "a.json", env=env)
    assert done.returncode == 0, done.stderr
    row = json.loads((tmp_path / "a.json").read_text())["comparisons"]["encode_image"]
    medians = {side: np.median(work["seconds"]) for side, work in row["sides"].items()}
    for side, faster in row["negjax_is_faster_than"].items():
        assert faster["ratio"] == pytest.approx(medians[side] / medians["negjax"])
        assert 0 < faster["min"] <= faster["max"]
    assert all(len(work["seconds"]) == 3 for work in row["sides"].values())
    assert "encode_image" in done.stdout
