"""The peak of a process is its own, whatever the process that started it held."""

import subprocess
import sys

import numpy as np

from negjax.runtime.memory import device_peak_bytes, host_peak_bytes

CHILD = """
import numpy as np
from negjax.runtime.memory import host_peak_bytes
before = host_peak_bytes()
held = np.ones(300 << 20, np.uint8)  # touched
after = host_peak_bytes()
del held
print(before, after, host_peak_bytes())
"""


def test_the_peak_grows_with_what_a_process_holds_and_stays():
    held = np.ones(900 << 20, np.uint8)
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    before, after, last = map(int, done.stdout.split())
    assert before < 600 << 20 < len(held) < host_peak_bytes()
    assert 200 << 20 < after - before < 350 << 20
    assert abs(last - after) < 1 << 20


def test_cpus_do_not_tell():
    assert device_peak_bytes() is None
