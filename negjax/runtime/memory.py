"""Peak memory since the start of the process."""

import re
import resource
import sys
from pathlib import Path


def host_peak_bytes() -> int:
    """Returns the largest resident size of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, whose getrusage includes the process that started this one
        match = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        if match:
            return int(match[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def device_peak_bytes() -> int | None:
    """Returns the peak memory in bytes of the local device that used most; None for devices without it (CPUs)."""
    import jax  # here, so that a process without JAX can ask for its own memory

    device_stats = [device.memory_stats() or {} for device in jax.local_devices()]
    return max((stats["peak_bytes_in_use"] for stats in device_stats if "peak_bytes_in_use" in stats), default=None)
