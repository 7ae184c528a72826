"""The tensors that a PyTorch pickle describes, read without executing anything that it asks for.

`pickle.Unpickler` is not used: it calls what a file names, and however few names are allowed, a file of some bytes can
make it allocate gigabytes or crash Python. Here the standard library only splits the pickle into opcodes. The few that
weights need build plain data, and a call in the file is interpreted (see `pickled_objects`), never made.
"""

import pickletools
from collections.abc import Iterable
from typing import Any

from negjax.weights.pickled_objects import (
    ForbiddenPickle,
    PickledModule,
    Skipped,
    interpret_call,
    read_global,
    read_storage,
)


def read_pickle(data: bytes) -> Any:
    """Reads a pickle of PyTorch.

    Args:
        data: The pickle.

    Returns:
        The described object, as dicts (without entries whose key is not a string), tuples, PickledTensors and
        PickledModules. Lists, sets and all else that holds no weights are Skipped.

    Raises:
        ForbiddenPickle: If it asks for something that could run code or that weights do not need.
        ValueError, LookupError, TypeError: If it is malformed.
    """
    machine = _PickleMachine()
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "STOP":
            break
        machine.execute(opcode.name, argument)
    return machine.stack.pop()


class _PickleMachine:
    """The stack, marks and memo of the pickle protocol, for the opcodes that weights need."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer_stacks: list[list[Any]] = []  # the stack below each mark
        self.memo: dict[int, Any] = {}

    def execute(self, opcode: str, argument: Any) -> None:
        done = self._push_value(opcode, argument) or self._build_container(opcode) or self._use_memo(opcode, argument)
        if not done:
            self._interpret(opcode, argument)

    def _push_value(self, opcode: str, argument: Any) -> bool:
        """Executes an opcode that pushes a constant; False if it is another."""
        match opcode:
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "NONE":
                self.stack.append(argument)
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINBYTES" | "SHORT_BINBYTES":
                self.stack.append(argument)
            case "NEWTRUE" | "NEWFALSE":
                self.stack.append(opcode == "NEWTRUE")
            case "EMPTY_DICT":
                self.stack.append({})
            case "EMPTY_LIST" | "EMPTY_SET":
                self.stack.append(Skipped())
            case "EMPTY_TUPLE":
                self.stack.append(())
            case _:
                return False
        return True

    def _build_container(self, opcode: str) -> bool:
        """Executes an opcode that makes a tuple or fills a container; False if it is another."""
        match opcode:
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(self._pop(int(opcode[-1])))
            case "MARK":
                self.outer_stacks.append(self.stack)
                self.stack = []
            case "TUPLE":
                items = self._pop_to_mark()
                self.stack.append(items)
            case "APPENDS" | "ADDITEMS":
                self._pop_to_mark()
            case "APPEND":
                self.stack.pop()
            case "SETITEMS":
                items = self._pop_to_mark()
                _set_items(self.stack[-1], zip(items[::2], items[1::2], strict=True))
            case "SETITEM":
                key, value = self._pop(2)
                _set_items(self.stack[-1], [(key, value)])
            case _:
                return False
        return True

    def _use_memo(self, opcode: str, argument: Any) -> bool:
        """Executes an opcode that stores or recalls a value; False if it is another."""
        match opcode:
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case _:
                return False
        return True

    def _interpret(self, opcode: str, argument: Any) -> None:
        """Executes an opcode that names or calls something."""
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "GLOBAL":
                self.stack.append(read_global(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                self.stack.append(read_global(*self._pop(2)))
            case "BINPERSID":
                self.stack.append(read_storage(self.stack.pop()))
            case "REDUCE" | "NEWOBJ":
                self.stack.append(interpret_call(*self._pop(2)))
            case "BUILD":
                state = self.stack.pop()
                _set_state(self.stack[-1], state)
            case _:
                raise ForbiddenPickle(f"the pickle opcode {opcode} ({str(argument)[:80]!r})")

    def _pop(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise ValueError("its stack is empty")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        return items

    def _pop_to_mark(self) -> tuple[Any, ...]:
        """All items above the last mark."""
        items, self.stack = tuple(self.stack), self.outer_stacks.pop()
        return items


def _set_items(target: Any, items: Iterable[tuple[Any, Any]]) -> None:
    """Sets items of a dict; those whose key is not a string are dropped."""
    if isinstance(target, Skipped):
        return
    if not isinstance(target, dict):
        raise TypeError("items are set on something that is not a dict")
    for key, value in items:
        if isinstance(key, str):
            if key in target:
                raise ValueError(f"the name {key[:80]!r} occurs twice")
            target[key] = value


def _set_state(target: Any, state: Any) -> None:
    """Sets a TorchScript object's attributes; the state of other things (a state dict's versions) is dropped."""
    if isinstance(target, PickledModule) and isinstance(state, dict):
        _set_items(target.attributes, state.items())
    elif not isinstance(target, dict | Skipped):
        raise TypeError("a state is set on something that has none")
