"""A folder of small pictures, a tiny model on disk, and the index of both."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.models import tiny_model

from negjax.models.loaded import LoadedModel
from negjax.search.build import IndexChanges, build_index
from negjax.weights.write import write_negjax

BATCH = 8


@pytest.fixture(scope="session")
def model() -> LoadedModel:
    return tiny_model()


@pytest.fixture(scope="session")
def weights(model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a checkpoint."""
    path = tmp_path_factory.mktemp("weights") / "tiny"
    write_negjax(model, path)
    return path


@pytest.fixture(scope="session")
def make_index(model: LoadedModel, weights: Path) -> Callable[..., IndexChanges]:
    """Indexes a folder."""

    def make(folder: Path, out: Path, **settings: object) -> IndexChanges:
        load = {"path": str(weights)}
        return build_index(folder, model, load, out, batch_size=BATCH, progress=False, **settings)

    return make
