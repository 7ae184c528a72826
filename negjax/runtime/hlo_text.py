"""Parts of the text of a compiled program (XLA's HLO, as `jax.stages.Compiled.as_text` gives it)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

UNKNOWN_TRIPS = 0
BITS_BY_TYPE = {"pred": 8, "bf16": 16, "f16": 16, "s4": 4, "u4": 4}  # of other types the number is in the name
_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) .*\{$")
_WHILE = re.compile(r" while\(.*condition=%?([\w.-]+), body=%?([\w.-]+)")
_TRIP_COUNT = re.compile(r'known_trip_count"?:\{"?n"?:"?(\d+)')
_INT_CONSTANT = re.compile(r"%?([\w.-]+) = s32\[\]\S* constant\((\d+)\)")
_LESS_THAN = re.compile(r"ROOT .* compare\(.*, %?([\w.-]+)\), direction=LT")
_CALL = re.compile(r"(?:calls|to_apply)=%?([\w.-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\](\{[^}]*\})?")
_CORES_MEMORY = re.compile(r"S\([1-9]\d*\)")  # other spaces than 0, the chip's memory: of vectors, scalars, flags


@dataclass(frozen=True)
class ArrayType:
    """An array in the type of an instruction.

    Attributes:
        bytes: its size, without padding of tiles.
        in_memory: whether it lies in the chip's memory, not in that of its cores.
    """

    bytes: int
    in_memory: bool


def arrays(types: str) -> list[ArrayType]:
    """The arrays of a type or a tuple of types, such as "(f32[8,4]{1,0:T(8,128)S(1)}, u32[])"."""
    found = []
    for dtype, axes, layout in _ARRAY.findall(types):
        bits = BITS_BY_TYPE.get(dtype) or int(re.sub(r"\D", "", dtype) or 0)
        size = bits * math.prod(int(axis) for axis in axes.split(",") if axis) // 8
        found.append(ArrayType(size, not _CORES_MEMORY.search(layout)))
    return found


def split_computations(hlo: str) -> dict[str, list[str]]:
    """The lines of each computation by its name; the entry computation is named "ENTRY"."""
    computations: dict[str, list[str]] = {}
    current: list[str] = []
    for line in hlo.splitlines():
        if match := _COMPUTATION.match(line):
            current = computations.setdefault("ENTRY" if line.startswith("ENTRY") else match[1], [])
        else:
            current.append(line)
    return computations


def called(line: str) -> list[str]:
    """The computations that an instruction calls; of a conditional all branches."""
    branches = _BRANCHES.search(line)
    return re.findall(r"[\w.-]+", branches[1]) if branches else _CALL.findall(line)


def loop_body(line: str, computations: Mapping[str, Sequence[str]]) -> tuple[str, int] | None:
    """The computation that a loop runs, and how often (or UNKNOWN_TRIPS); None if the line is no loop.

    That is the loop's known_trip_count, or else the constant that its counter, from 0, is compared with.
    """
    if not (match := _WHILE.search(line)):
        return None
    if known := _TRIP_COUNT.search(line):
        return match[2], int(known[1])
    condition = computations.get(match[1], ())
    constants = {found[1]: int(found[2]) for line in condition if (found := _INT_CONSTANT.search(line))}
    bounds = (constants.get(found[1], UNKNOWN_TRIPS) for line in condition if (found := _LESS_THAN.search(line)))
    return match[2], next(bounds, UNKNOWN_TRIPS)
