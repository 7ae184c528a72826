"""What a run writes of itself, here and in a store that can neither append nor rename."""

import json
from collections.abc import Iterator

import fsspec
import jax.numpy as jnp
import pytest
from etils import epath
from fake_store import Store

from negjax.errors import NegjaxError
from negjax.runtime.files import new_file, write_atomic
from negjax.training import record
from negjax.training.record import Record


@pytest.fixture
def store() -> Iterator[epath.Path]:
    fsspec.register_implementation("gcs", Store, clobber=True)
    Store.store.clear()
    yield epath.Path("gs://bucket/run")
    fsspec.register_implementation("gcs", "gcsfs.GCSFileSystem", clobber=True)


def lines(path: epath.Path) -> list[tuple]:
    return [(line["step"], line.get("loss")) for line in map(json.loads, path.read_text().splitlines())]


def write(workdir: epath.Path, first: int, last: int, flush_at: int | None = None) -> Record:
    """Logs the steps after `first` up to `last`."""
    with Record(workdir, 9, first, 4, lambda count: 0.1 * count) as run:
        for step in range(first + 1, last + 1):
            run.fetch()
            run.hold(step, {"loss": jnp.float32(step / 2), "halted": jnp.bool_(False)})
            run.advance(step)
            if step == flush_at:
                run.flush()
                assert (step, step / 2) in lines(workdir / record.FILE)
    return run


def test_a_step_is_logged_when_it_is_fetched(tmp_path):
    write(epath.Path(tmp_path), 0, 3, flush_at=2)
    assert lines(tmp_path / record.FILE) == [(1, 0.5), (2, 1.0)]  # the third was never fetched
    write(epath.Path(tmp_path), 1, 4, flush_at=4)
    assert lines(tmp_path / record.FILE) == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]


def test_in_a_store_the_log_is_there_after_each_flush_and_is_taken_up_again(store, monkeypatch):
    monkeypatch.setattr(record, "SECONDS_BETWEEN_COPIES", 1e9)
    write(store, 0, 4, flush_at=2)
    assert lines(store / record.FILE) == [(1, 0.5), (2, 1.0), (3, 1.5)]  # copied at the end too
    write(store, 2, 5, flush_at=5)
    assert lines(store / record.FILE) == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0), (5, 2.5)]
    assert [path.name for path in store.iterdir()] == [record.FILE]


def test_in_a_store_the_log_is_copied_now_and_then(store, monkeypatch):
    monkeypatch.setattr(record, "SECONDS_BETWEEN_COPIES", 0.0)
    with Record(store, 9, 0, 4, lambda count: 0.0) as run:
        for step in (1, 2):
            run.evaluated(step, {"task/accuracy": 0.5})
            assert [step for step, _ in lines(store / record.FILE)] == list(range(1, step + 1))


def test_a_file_in_a_store_is_written_whole_or_not_at_all(store):
    path = store / "a" / "config.json"
    write_atomic(path, "old")

    def fail() -> None:
        with new_file(path) as file:
            file.write(b"ne")
            raise OSError("disk")

    with pytest.raises(NegjaxError, match=f"cannot write {path}: disk"):
        fail()
    assert path.read_text() == "old"
