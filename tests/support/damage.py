"""Files with one bit flipped."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np


def flip_bits(files: list[Path], flips: int, seed: int = 0) -> Iterator[Path]:
    """Flips a random bit of one of the files at a time, each in turn, and mends it again after the loop's body."""
    rng = np.random.default_rng(seed)
    for number in range(flips):
        path = files[number % len(files)]
        content = path.read_bytes()
        bit = int(rng.integers(8 * len(content)))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        yield path
        path.write_bytes(content)
