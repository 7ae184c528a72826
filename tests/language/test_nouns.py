"""The library behind articles and number is imported safely, whichever thread asks first."""

import subprocess
import sys

PROGRAM = """
import threading
import typeguard

checked = typeguard.typechecked
from negjax.language.phrases import with_article

barrier = threading.Barrier(4)
phrases = []


def ask():
    barrier.wait()
    phrases.append(with_article("zither"))


threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert phrases == ["a zither"] * 4, phrases
assert typeguard.typechecked is checked, "the run-time checks of other libraries are off"
"""


def test_threads_that_ask_at_once_leave_typeguard_as_it_was():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)
