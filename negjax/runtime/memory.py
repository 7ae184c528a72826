"""The most memory that was in use since the process began."""

import re
import resource
import sys
from pathlib import Path

import jax


def host_peak() -> int:
    """The largest resident size of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, whose getrusage counts in the process that started this one
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def device_peak() -> int | None:
    """Of this process's devices that which used most, in bytes; None where devices do not tell, as CPUs."""
    told = [device.memory_stats() or {} for device in jax.local_devices()]
    return max((stats["peak_bytes_in_use"] for stats in told if "peak_bytes_in_use" in stats), default=None)
