"""Counts the bytes that a compiled program moves between a chip's memory and its cores, by parsing its text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from negjax.runtime.collectives import COLLECTIVE_OPS
from negjax.runtime.hlo_text import ArrayType, arrays, called, loop_body, split_computations

_INSTRUCTION = re.compile(r"^\s*(ROOT )?%?([\w.-]+) = (.*?) ([\w-]+)\(([^)]*)\)")
_NAME = re.compile(r"%([\w.-]+)")
# These move nothing themselves; what a collective reads and writes is hidden by what it sends.
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "iota", "after-all", "opt-barrier",
    "partition-id", "replica-id", *COLLECTIVE_OPS, *(f"{operation}-start" for operation in COLLECTIVE_OPS),
}  # fmt: skip
_CALLS = {"conditional", "call", "async-start"}
_SLICES = {"dynamic-slice", "slice", "gather"}  # they read as much of their first operand as they result in
_UPDATE = "dynamic-update-slice"  # writes its second operand into its first


@dataclass(frozen=True)
class _Instruction:
    name: str
    is_root: bool
    results: list[ArrayType]
    operation: str
    operands: list[str]
    number: str  # of a parameter
    line: str


_Computation = Mapping[str, _Instruction]


def memory_traffic(hlo: str) -> int:
    """Bytes that one run of a compiled program reads from a chip's memory and writes to it.

    An operation, most often a fusion of several, reads each operand and writes each result once. Of what is only
    sliced, the slices count; of what is updated in place, the update. What the TPU's compiler keeps in the memory of
    the cores does not count, only copies to and from there. The body of a loop counts as often as it runs, or once if
    that is unknown, and all branches count.

    Args:
        hlo: the program's text, as `jax.stages.Compiled.as_text` gives it.
    """
    lines = split_computations(hlo)
    computations = {name: _parse(body) for name, body in lines.items()}

    def visit(name: str, times: int) -> int:
        computation, moved = computations.get(name, {}), 0
        for instruction in computation.values():
            if loop := loop_body(instruction.line, lines):
                moved += visit(loop[0], times * max(1, loop[1]))
            elif instruction.operation in _CALLS:
                moved += sum(visit(other, times) for other in called(instruction.line))
            elif instruction.operation not in _FREE and not instruction.operation.endswith("-done"):
                moved += times * _moved(instruction, computation, computations)
        return moved

    return visit("ENTRY", 1)


def _parse(lines: list[str]) -> _Computation:
    instructions = {}
    for line in lines:
        if match := _INSTRUCTION.match(line):
            root, name, types, operation, operands = match.groups()
            names = _NAME.findall(operands)
            instructions[name] = _Instruction(name, bool(root), arrays(types), operation, names, operands, line)
    return instructions


def _moved(instruction: _Instruction, computation: _Computation, computations: Mapping[str, _Computation]) -> int:
    """Bytes that one run of an operation reads and writes."""
    if instruction.operation.endswith("-start"):  # its results are source and destination, of which one is sliced
        ends = instruction.results[:2]
        return min(end.bytes for end in ends) * sum(end.in_memory for end in ends)
    if instruction.operation == "fusion":
        body = computations[called(instruction.line)[0]]
        parameters = {each.number: each.name for each in body.values() if each.operation == "parameter"}
        inside = [parameters[str(number)] for number in range(len(instruction.operands))]
    else:
        body, inside = {**computation, instruction.name: instruction}, instruction.operands
    users = body if instruction.operation == "fusion" else {instruction.name: instruction}
    moved = 0
    for outer, inner in dict(zip(instruction.operands, inside)).items():
        whole = sum(array.bytes for array in computation[outer].results if array.in_memory)
        moved += whole and min(whole, _read(inner, whole, users))
    root = next(each for each in body.values() if each.is_root) if users is body else instruction
    values = root.operands if root.operation == "tuple" else [root.name]
    return moved + sum(_written(result, value, body) for result, value in zip(instruction.results, values))


def _read(value: str, whole: int, users: _Computation) -> int:
    """Bytes of a value that instructions read. whole: its size."""
    read = 0
    for user in users.values():
        if value not in user.operands:
            continue
        if user.operation == "bitcast":
            read += _read(user.name, whole, users)
        elif user.operation in _SLICES and user.operands.index(value) == 0:
            read += user.results[0].bytes
        elif user.operation != _UPDATE or user.operands.index(value) != 0:
            return whole
    return read


def _written(result: ArrayType, value: str, body: _Computation) -> int:
    """Bytes of a result that an operation writes. value: what it is in the body."""
    producer = body[value]
    while producer.operation == "bitcast":
        producer = body[producer.operands[0]]
    if producer.operation == _UPDATE:
        result = ArrayType(body[producer.operands[1]].results[0].bytes, result.in_memory)
    return result.bytes if result.in_memory else 0
