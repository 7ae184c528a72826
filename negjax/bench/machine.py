"""The machine of a measurement. JAX is imported only by those who ask for its devices."""

import os
from typing import Any


def describe_devices() -> dict[str, Any]:
    """Devices and versions as JAX sees them, JSON-able."""
    import jax

    from negjax.evaluation.evaluate import software

    return {"software": software(), "device_count": jax.device_count(), "cores": cores()}


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> float:
    """Processes that ran on average over the last minute; without any other work it approaches the cores in use."""
    return round(os.getloadavg()[0], 2)
