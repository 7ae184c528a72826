"""Counts the collectives of a compiled program and the bytes they send, by parsing its text (XLA's HLO)."""

import math
import re
from collections import Counter
from dataclasses import dataclass

from negjax.runtime.hlo_text import UNKNOWN_TRIPS, arrays, called, loop_body, split_computations

COLLECTIVE_OPS = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")
_COLLECTIVE = re.compile(rf"= (.*?) ({'|'.join(COLLECTIVE_OPS)})(-start)?\(")
# HLO writes groups of devices in three ways: {{0,1,2,3},{4,5,6,7}}, [2,4]<=[8], mesh['a'=2,'b'=4] {'b'}.
_GROUPS_LISTED = re.compile(r"replica_groups=\{\{([\d,]+)\}")
_GROUPS_IOTA = re.compile(r"replica_groups=\[\d+,(\d+)\]<=")
_GROUPS_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}")


@dataclass(frozen=True)
class Collective:
    """All collectives of a kind in one run of a program.

    Attributes:
        kind: one of COLLECTIVE_OPS.
        count: how often it runs.
        bytes: what a device sends in all, along a ring: S (n - 1) / n for S bytes over n devices, twice that for an
            all-reduce, and S for a permute.
    """

    kind: str
    count: int
    bytes: int


def collectives(hlo: str) -> list[Collective]:
    """Counts the collectives of one run of a compiled program.

    The body of a loop counts as often as it runs, and all branches count. A collective that the TPU's compiler spreads
    over other operations, each of which moves a piece, is counted where it starts.

    Args:
        hlo: the program's text, as `jax.stages.Compiled.as_text` gives it.

    Returns:
        The kinds that occur, in the order of COLLECTIVE_OPS.

    Raises:
        ValueError: for a collective in a loop of unknown trip count, or among devices that are not named.
    """
    computations = split_computations(hlo)
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()

    def visit(name: str, times: int, starts: bool = False) -> None:
        for line in computations.get(name, ()):
            if match := _COLLECTIVE.search(line):
                shape, op, start_suffix = match.groups()
                if times == UNKNOWN_TRIPS:
                    raise ValueError(f"how often {op} runs is not in the compiled program: {line.strip()}")
                if starts or "chain_id=" not in line:
                    # The TPU's compiler writes a reduce-scatter as the all-reduce that it is a part of.
                    kind = "reduce-scatter" if name.startswith("all-reduce-scatter") else op
                    size = _shape_bytes(shape, started_op=op if start_suffix else "")
                    counts[kind] += times
                    sizes[kind] += times * _sent_bytes(kind, size, is_explicit=kind == op, line=line)
            elif loop := loop_body(line, computations):
                visit(loop[0], times * loop[1])
            else:
                for other in called(line):
                    visit(other, times, starts="%async-collective-start" in line.partition(" = ")[0])

    visit("ENTRY", 1)
    return [Collective(kind, counts[kind], sizes[kind]) for kind in COLLECTIVE_OPS if counts[kind]]


def _shape_bytes(shapes: str, started_op: str = "") -> int:
    """Bytes of the arrays that a collective results in.

    The shape of an operation that only starts (`started_op`) lists the operands before the results, unless it is an
    all-reduce, and for a permute two numbers after them.
    """
    sizes = [array.bytes for array in arrays(shapes)]
    if started_op == "collective-permute":
        return sizes[1]
    return sum(sizes[len(sizes) // 2 :]) if started_op not in ("", "all-reduce") else sum(sizes)


def _sent_bytes(kind: str, size: int, is_explicit: bool, line: str) -> int:
    """Bytes that a device sends, along a ring, for a result of `size` bytes. is_explicit: the line names `kind`."""
    if kind == "collective-permute":
        return size
    devices = _group_size(line)
    if kind == "reduce-scatter" and is_explicit:
        size *= devices
    return (2 if kind == "all-reduce" else 1) * size * (devices - 1) // devices


def _group_size(line: str) -> int:
    """The number of devices in each group of a collective."""
    if match := _GROUPS_LISTED.search(line):
        return len(match[1].split(","))
    if match := _GROUPS_IOTA.search(line):
        return int(match[1])
    if match := _GROUPS_MESH.search(line):
        sizes = dict(axis.split("=") for axis in match[1].split(","))
        return math.prod(int(sizes[axis.strip()]) for axis in match[2].split(","))
    raise ValueError(f"the devices of a collective are not in the compiled program: {line.strip()}")
