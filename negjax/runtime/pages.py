"""Large memory pages for the host: JAX on a CPU takes and returns hundreds of MB in every step.

With pages of 4 KB a third of the time of a step goes into mapping them; glibc maps large blocks in pages of 2 MB when
it is told so before the program starts.
"""

import os
import sys
from pathlib import Path

TUNABLE = "glibc.malloc.hugetlb"
SUPPORT = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def start_with_large_pages() -> None:
    """Starts this very program again, in the same process, with large pages; does nothing where that is no help.

    Set GLIBC_TUNABLES=glibc.malloc.hugetlb=0 to keep it from doing so.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if TUNABLE in tunables or not SUPPORT.exists() or "[never]" in SUPPORT.read_text():
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{TUNABLE}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
