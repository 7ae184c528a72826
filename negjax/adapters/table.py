"""The table of adapters: a name, which is also a setting of an experiment, and the module that holds its `ADAPTER`."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from negjax.adapters.adapter import Adapter

ADAPTERS = {
    "lora": "negjax.adapters.lora",
    "nero": "negjax.adapters.nero",
    "peakpatch": "negjax.adapters.peakpatch",
}


def make_adapter(name: str, settings: Any) -> Adapter:
    """The adapter of this name, a key of ADAPTERS, with its settings."""
    return Adapter(name, import_module(ADAPTERS[name]).ADAPTER, settings)


def adapter_from_meta(meta: Mapping[str, Any]) -> Adapter | None:
    """The adapter of a checkpoint's metadata; None for one of whole weights.

    Raises:
        TypeError: its settings are not of this version.
    """
    for name in ADAPTERS:
        if name in meta:
            kind = import_module(ADAPTERS[name]).ADAPTER
            stored = {key: tuple(value) if isinstance(value, list) else value for key, value in meta[name].items()}
            return Adapter(name, kind, kind.settings(**stored))
    return None
