"""The table of stores, and opening the table of an index in one."""

import importlib
import json
from collections.abc import Mapping
from typing import Any

from negjax.errors import NegjaxError
from negjax.search.stores.store import StoreAddress, VectorStore

# A module beside this one, and an extra of the same name -> its class.
STORES = {"lancedb": "LanceDB", "qdrant": "Qdrant", "pgvector": "PgVector"}


def open_store(
    address: StoreAddress, folder: str, model: Mapping[str, Any], width: int, *, create: bool
) -> VectorStore:
    """Opens the table of a folder and a model.

    Args:
        address: where it is.
        folder: the indexed folder.
        model: what the model is, `negjax.search.build.describe_model`.
        width: of an embedding.
        create: make the table where there is none.

    Raises:
        NegjaxError: the engine's package is missing, the engine cannot be reached, there is no such table, or it has
            another origin, folder or model.
    """
    if address.kind not in STORES:
        raise NegjaxError(f"unknown store {address.kind!r}; choose one of {', '.join(STORES)}")
    try:
        module = importlib.import_module(f"negjax.search.stores.{address.kind}")
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise NegjaxError(
            f'the store {address.kind} needs its package ({reason}): pip install "negjax[{address.kind}]"'
        ) from error
    store: VectorStore = getattr(module, STORES[address.kind])(address)
    try:
        _check(store, {"folder": folder, "model": dict(model)}, width, create)
    except BaseException:
        store.close()
        raise
    return store


def _check(store: VectorStore, expected: dict[str, Any], width: int, create: bool) -> None:
    """Makes the table, or checks whose it is."""
    text = store.description()
    if text is None and not create:
        raise NegjaxError(f"{store.address}: there is no such table; run the command that made the index again")
    if text is None:
        store.create(json.dumps(expected, sort_keys=True), width)
        return
    try:
        found = json.loads(text)
        model, folder = dict(found["model"]), str(found["folder"])
    except (ValueError, TypeError, KeyError) as error:
        raise NegjaxError(f"{store.address}: the table was not made by negjax: give another --table") from error
    if folder != expected["folder"]:
        raise NegjaxError(f"{store.address}: the table is of the folder {folder}: give another --table")
    names = [name for name, value in expected["model"].items() if name != "arch" and model.get(name) != value]
    if names:
        raise NegjaxError(
            f"{store.address}: the table was made with another model or other settings ({', '.join(names)} differ): "
            "give that model, or another --table"
        )
