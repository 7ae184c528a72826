"""Which collectives a compiled program runs, how often and with how many bytes, read from its text (XLA's HLO)."""

import math
import re
from collections import Counter
from dataclasses import dataclass

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")
BITS = {"pred": 8, "bf16": 16, "f16": 16, "s4": 4, "u4": 4}  # of other types the number is in the name
_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) .*\{$")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(KINDS)})(-start)?\(")
_WHILE = re.compile(r" while\(.*body=%?([\w.-]+)")
_TRIPS = re.compile(r'known_trip_count"?:\{"?n"?:"?(\d+)')
_CALL = re.compile(r"(?:calls|to_apply|true_computation|false_computation|async_execution_thread)=%?([\w.-]+)")
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\]")


@dataclass(frozen=True)
class Collective:
    """A kind of collective: how often it runs in a step, and the bytes of its results on one device."""

    kind: str
    count: int
    bytes: int


def collectives(hlo: str) -> list[Collective]:
    """The collectives of one run of the program, the bodies of loops as often as they run."""
    own: dict[str, list[tuple[str, int]]] = {}
    calls: dict[str, list[tuple[str, int]]] = {}
    entry = current = ""
    for line in hlo.splitlines():
        if found := _COMPUTATION.match(line):
            current = found[1]
            entry = current if line.startswith("ENTRY") else entry
        elif found := _OPERATION.search(line):
            own.setdefault(current, []).append((found[2], _bytes(found[1], halved=bool(found[3]))))
        elif found := _WHILE.search(line):
            trips = _TRIPS.search(line)
            calls.setdefault(current, []).append((found[1], int(trips[1]) if trips else 1))
        else:
            calls.setdefault(current, []).extend((name, 1) for name in _CALL.findall(line))
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        for kind, size in own.get(name, ()):
            counts[kind] += times
            sizes[kind] += times * size
        for other, trips in calls.get(name, ()):
            visit(other, times * trips)

    visit(entry, 1)
    return [Collective(kind, counts[kind], sizes[kind]) for kind in KINDS if counts[kind]]


def _bytes(shapes: str, halved: bool) -> int:
    """Bytes of all arrays in a shape's text. halved: what only starts lists its operands beside its results."""
    sizes = []
    for kind, axes in _SHAPE.findall(shapes):
        bits = BITS.get(kind) or int(re.sub(r"\D", "", kind) or 0)
        sizes.append(bits * math.prod(int(axis) for axis in axes.split(",") if axis) // 8)
    return sum(sizes[len(sizes) // 2 :]) if halved else sum(sizes)
