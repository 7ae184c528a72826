"""What holds for every test: eight devices on the host, quick compilation, and one compilation cache.

JAX reads these settings from the environment when it is imported or first used, and the workers of pytest-xdist and the
processes that tests start inherit them.
"""

import hashlib
import importlib.metadata
import os
import tempfile
from pathlib import Path

import pytest

DEVICES = "--xla_force_host_platform_device_count=8"
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
QUICK += " --xla_cpu_parallel_codegen_split_count=1"
if importlib.metadata.version("jaxlib").startswith("0.10."):  # later versions end at flags that they do not know
    QUICK += " --xla_cpu_use_fusion_emitters=false"  # a third of the time
os.environ.setdefault("JAX_PLATFORMS", "cpu")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # in the first process; it removes the folder when it ends
    _compiled = tempfile.TemporaryDirectory(prefix="negjax-tests-compiled-", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def pytest_configure(config: pytest.Config) -> None:
    """Most of a test's time is spent in compiling what then runs for moments; with PyTorch whole models are compared.

    Flags that are set outside win.
    """
    quick = "" if config.option.markexpr == "parity" else QUICK
    os.environ["XLA_FLAGS"] = " ".join(filter(None, [DEVICES, quick, os.environ.get("XLA_FLAGS", "")]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker of pytest-xdist is left alone with one at the end."""
    items.sort(key=lambda item: (item.path.name != "test_processes.py", item.path.parent.name != "training"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real inputs, which are not part of the project: $NEGJAX_TEST_DATA, or ../shared/data."""
    folder = Path(os.environ.get("NEGJAX_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"there are no real inputs at {folder}: set NEGJAX_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    """Small sets of scenes, seed 7, and what was drawn for them: the objects of each picture by its sha256."""
    from negjax.datasets.scenes import sets

    data_dir, objects, draw_scenes = tmp_path_factory.mktemp("scenes"), {}, sets.draw_scenes

    def watched(*arguments):
        for scene in draw_scenes(*arguments):
            objects[hashlib.sha256(scene.png).hexdigest()] = set(scene.names)
            yield scene

    size = sets.Size(pretraining=96, finetuning=240, galleries=2, gallery=40, asked=80, questions=60, groups=8, named=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "draw_scenes", watched)
        sets.build_scenes(data_dir, 7, size)
    return data_dir, objects


@pytest.fixture(scope="session")
def scenes(drawn) -> Path:
    """The data folder of small sets of scenes, seed 7."""
    return drawn[0]
