"""Which collectives a compiled program runs, how often and with how many bytes, read from its text (XLA's HLO)."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")
UNKNOWN = 0
BITS = {"pred": 8, "bf16": 16, "f16": 16, "s4": 4, "u4": 4}  # of other types the number is in the name
_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) .*\{$")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(KINDS)})(-start)?\(")
_WHILE = re.compile(r" while\(.*condition=%?([\w.-]+), body=%?([\w.-]+)")
_TRIPS = re.compile(r'known_trip_count"?:\{"?n"?:"?(\d+)')
_NUMBER = re.compile(r"%?([\w.-]+) = s32\[\]\S* constant\((\d+)\)")
_BELOW = re.compile(r"ROOT .* compare\(.*, %?([\w.-]+)\), direction=LT")
_CALL = re.compile(r"(?:calls|to_apply)=%?([\w.-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\]")
# Three spellings of "four devices each": {{0,1,2,3},{4,5,6,7}}, [2,4]<=[8], mesh['a'=2,'b'=4] {'b'}.
_LISTED = re.compile(r"replica_groups=\{\{([\d,]+)\}")
_COUNTED = re.compile(r"replica_groups=\[\d+,(\d+)\]<=")
_NAMED = re.compile(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}")


@dataclass(frozen=True)
class Collective:
    """A kind of collective: how often it runs in a step, and the bytes that a device sends for it, along a ring.

    For S bytes over n devices these are S (n - 1) / n, twice that to reduce all, and S to pass it on.
    """

    kind: str
    count: int
    bytes: int


def collectives(hlo: str) -> list[Collective]:
    """The collectives of one run of the program, the bodies of loops as often as they run.

    Of branches all count. One that the TPU's compiler spreads over other operations, each of which moves a piece, is
    counted where it starts.
    Raises ValueError for a collective in a loop that doesn't say how often it runs, or among devices it doesn't name.
    """
    bodies = _computations(hlo)
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()

    def visit(name: str, times: int, starts: bool = False) -> None:
        for line in bodies.get(name, ()):
            if found := _OPERATION.search(line):
                if times == UNKNOWN:
                    raise ValueError(f"how often {found[2]} runs is not in the compiled program: {line.strip()}")
                if starts or "chain_id=" not in line:
                    # The TPU's compiler writes a reduce-scatter as the all-reduce that it is a part of.
                    kind = "reduce-scatter" if name.startswith("all-reduce-scatter") else found[2]
                    size = _bytes(found[1], started=found[2] if found[3] else "")
                    counts[kind] += times
                    sizes[kind] += times * _sent(kind, size, whole=kind == found[2], line=line)
            elif found := _WHILE.search(line):
                visit(found[2], times * _trips(line, bodies.get(found[1], ())))
            else:
                branches = _BRANCHES.search(line)
                for other in re.findall(r"[\w.-]+", branches[1]) if branches else _CALL.findall(line):
                    visit(other, times, starts="%async-collective-start" in line.partition(" = ")[0])

    visit("ENTRY", 1)
    return [Collective(kind, counts[kind], sizes[kind]) for kind in KINDS if counts[kind]]


def _computations(hlo: str) -> dict[str, list[str]]:
    """The lines of each computation by its name, the first one to run as "ENTRY"."""
    bodies: dict[str, list[str]] = {}
    current: list[str] = []
    for line in hlo.splitlines():
        if found := _COMPUTATION.match(line):
            current = bodies.setdefault("ENTRY" if line.startswith("ENTRY") else found[1], [])
        else:
            current.append(line)
    return bodies


def _trips(line: str, condition: Sequence[str]) -> int:
    """How often a loop runs: what its line says, or the number that its counter, from 0 on, has to stay below."""
    if found := _TRIPS.search(line):
        return int(found[1])
    numbers = {found[1]: int(found[2]) for line in condition if (found := _NUMBER.search(line))}
    return next((numbers.get(found[1], UNKNOWN) for line in condition if (found := _BELOW.search(line))), UNKNOWN)


def _bytes(shapes: str, started: str = "") -> int:
    """Bytes of all arrays in a shape's text.

    started: the kind of what only starts there. Unless it is an all-reduce, its operands stand before its results, and
    a permute has two numbers after them.
    """
    sizes = []
    for kind, axes in _SHAPE.findall(shapes):
        bits = BITS.get(kind) or int(re.sub(r"\D", "", kind) or 0)
        sizes.append(bits * math.prod(int(axis) for axis in axes.split(",") if axis) // 8)
    if started == "collective-permute":
        return sizes[1]
    return sum(sizes[len(sizes) // 2 :]) if started not in ("", "all-reduce") else sum(sizes)


def _sent(kind: str, size: int, whole: bool, line: str) -> int:
    """What a device sends, along a ring, for a result of so many bytes. whole: it's what the line itself is called."""
    if kind == "collective-permute":
        return size
    devices = _devices(line)
    if kind == "reduce-scatter" and whole:
        size *= devices
    return (2 if kind == "all-reduce" else 1) * size * (devices - 1) // devices


def _devices(line: str) -> int:
    """How many devices take part in each group of a collective."""
    if found := _LISTED.search(line):
        return len(found[1].split(","))
    if found := _COUNTED.search(line):
        return int(found[1])
    if found := _NAMED.search(line):
        sizes = dict(axis.split("=") for axis in found[1].split(","))
        return math.prod(int(sizes[axis.strip()]) for axis in found[2].split(","))
    raise ValueError(f"the devices of a collective are not in the compiled program: {line.strip()}")
