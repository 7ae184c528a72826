"""Huge memory pages for the host: on a CPU, JAX allocates and frees hundreds of MB in every step.

With pages of 4 KB a third of a step's time goes into mapping them. glibc maps large blocks in pages of 2 MB when a
tunable is set before the program starts.
"""

import os
import sys
from pathlib import Path

from negjax.runtime.interrupt import hold_interrupt

HUGE_PAGES_TUNABLE = "glibc.malloc.hugetlb"
KERNEL_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def restart_with_huge_pages() -> None:
    """Restarts this program, in the same process, with huge pages; does nothing where the kernel has none.

    GLIBC_TUNABLES=glibc.malloc.hugetlb=0 in the environment prevents it.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if HUGE_PAGES_TUNABLE in tunables or not KERNEL_SETTING.exists() or "[never]" in KERNEL_SETTING.read_text():
        return
    hold_interrupt()
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{HUGE_PAGES_TUNABLE}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
