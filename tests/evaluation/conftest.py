"""A small model with random weights, and small sets of every kind that share pictures and captions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.images import noise_png
from support.models import tiny_model

from negjax.datasets.stored.store import open_set, write_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.models.loaded import LoadedModel

WORDS = ["dog", "cat", "boat", "kite", "lamp", "drum", "moon", "tree", "fish", "shoe"]


def caption(i: int, j: int, words: int = 0) -> str:
    return f"a {WORDS[i % 10]} but no {WORDS[j % 10]}" + " at all" * words


@pytest.fixture(scope="session")
def model() -> LoadedModel:
    return tiny_model()


@pytest.fixture(scope="session")
def make_set(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., StoredSet]:
    """make_set(name, task_kind, field, rows, **metadata): builds and opens a set."""

    def make(name: str, task_kind: str, field: str, rows: list[dict[str, Any]], **metadata: Any) -> StoredSet:
        data_dir: Path = tmp_path_factory.mktemp("data")
        said = {"task_kind": task_kind, "negated": False, "altered": "", "tokenizer": "clip", "source": {}}
        write_set(data_dir, name, lambda: iter(rows), [field], said | metadata)
        return open_set(data_dir, name)

    return make


@pytest.fixture(scope="session")
def mcq_rows() -> list[dict[str, Any]]:
    """23 questions over 9 pictures; some repeat an option, or differ from another in letter case alone."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(23):
        options = [caption(*rng.integers(10, size=2), words=int(rng.integers(4))) for _ in range(4)]
        answer = int(rng.integers(4))
        if n % 5 == 0:
            options[(answer + 1) % 4] = options[answer].upper()
        rows.append(
            {
                "media": noise_png(n % 9),
                "options": options,
                "answer": answer,
                "kind": ("positive", "negative", "hybrid")[n % 3],
            }
        )
    return rows


@pytest.fixture(scope="session")
def mcq_set(make_set: Callable[..., StoredSet], mcq_rows: list[dict[str, Any]]) -> StoredSet:
    return make_set("questions", "mcq", "question", mcq_rows)


@pytest.fixture(scope="session")
def retrieval_rows() -> list[dict[str, Any]]:
    """13 pictures in two galleries, 1 to 3 captions each; one picture stands in two rows."""
    return [
        {
            "media": noise_png(n if n != 12 else 2),
            "group": n % 2,
            "captions": [caption(n, n + k, words=k) for k in range(1 + n % 3)],
        }
        for n in range(13)
    ]


@pytest.fixture(scope="session")
def retrieval_set(make_set: Callable[..., StoredSet], retrieval_rows: list[dict[str, Any]]) -> StoredSet:
    return make_set("pictures", "retrieval", "captions", retrieval_rows, negated=True)


@pytest.fixture(scope="session")
def truth_set(make_set: Callable[..., StoredSet]) -> StoredSet:
    cells = ("a_only", "b_only", "both", "neither")
    rows = [
        {
            "media": noise_png(20 + (3 * group + place) % 11),
            "group": group,
            "options": [caption(group, group + 1), caption(group + 1, group), f"a {group}", f"no {group}"],
            "answer": place,
            "kind": cell,
        }
        for group in range(5)
        for place, cell in enumerate(cells)
    ]
    return make_set("table", "truth_table", "question", rows)


@pytest.fixture(scope="session")
def zeroshot_rows() -> list[dict[str, Any]]:
    return [{"media": noise_png(n), "label": n % 4} for n in range(10)]


@pytest.fixture(scope="session")
def zeroshot_set(make_set: Callable[..., StoredSet], zeroshot_rows: list[dict[str, Any]]) -> StoredSet:
    return make_set(
        "names",
        "zeroshot",
        "label",
        zeroshot_rows,
        classnames=["dog", "cat", "boat", "Dog"],
        templates=["a picture of a {}.", "{}"],
    )
