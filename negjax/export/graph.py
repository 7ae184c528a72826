"""An ONNX graph as it grows: its nodes, its constants, and values that are broadcast only where they must be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

AxisLength = Any  # of an axis: an int, or JAX's symbol for the batch
GraphShape = tuple[AxisLength, ...]

OPSET, IR_VERSION = 18, 8  # onnxruntime 1.14 (2023) and later read them
BATCH_NAME = "batch"  # of the symbolic axis


@dataclass(frozen=True)
class GraphValue:
    """A constant, or what a node of the graph computes.

    ONNX's elementwise operators broadcast as NumPy does. So an axis that JAX made longer by repetition is held with
    length 1 until an operator needs it in full.

    Attributes:
        held: The shape that it is held in.
        shape: The shape that it stands for: equal to `held`, but for axes held with length 1.
        dtype: Its type.
        name: Of the output of a node or of the graph's input; "" for a constant.
        array: The constant, of shape `held`; None for others.
    """

    held: GraphShape
    shape: GraphShape
    dtype: np.dtype
    name: str = ""
    array: np.ndarray | None = None


class Graph:
    """The nodes and constants of an ONNX graph with one input, whose first axis is the batch."""

    def __init__(self, input_name: str, shape: GraphShape, dtype: Any):
        self.input = GraphValue(shape, shape, np.dtype(dtype), input_name)
        self.batch = shape[0]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self._names: dict[Any, str] = {}  # of constants, by what they are

    def constant(self, array: Any) -> GraphValue:
        """A constant; it becomes part of the file when a node uses it."""
        array = np.asarray(array)
        return GraphValue(array.shape, array.shape, array.dtype, array=array)

    def name_of(self, value: GraphValue) -> str:
        """The name by which a node takes a value as it is held."""
        if value.array is None:
            return value.name
        array = value.array
        small = array.size <= 64
        # Large ones are told apart by where they are: their names keep them alive, so that no other takes their place.
        key = (array.dtype.str, array.shape, array.tobytes()) if small else (id(array), array.shape)
        if key not in self._names:
            self._names[key] = f"constant_{len(self._names)}"
            self.constants[self._names[key]] = array
        return self._names[key]

    def node(
        self, operator: str, inputs: Sequence[GraphValue], held: GraphShape, dtype: Any, **attributes: Any
    ) -> GraphValue:
        """Adds a node with one output of this shape and type; its inputs are taken as they are held."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        node = onnx.helper.make_node(operator, [self.name_of(value) for value in inputs], [name], name, **attributes)
        self.nodes.append(node)
        return GraphValue(held, held, np.dtype(dtype), name)

    def full(self, value: GraphValue) -> GraphValue:
        """The value with all axes in full length."""
        if value.held == value.shape:
            return value
        if value.array is not None and all(isinstance(size, int) for size in value.shape):
            return self.constant(np.broadcast_to(value.array, value.shape))
        return self.node("Expand", [value, self.sizes(value.shape)], value.shape, value.dtype)

    def sizes(self, shape: GraphShape) -> GraphValue:
        """A shape as a value, int64 [axes]."""
        if all(isinstance(size, int) for size in shape):
            return self.constant(np.array(shape, np.int64))
        parts = []
        for size in shape:
            if isinstance(size, int):
                parts.append(self.constant(np.array([size], np.int64)))
            else:
                self._check_batch(size)
                parts.append(self.node("Shape", [self.input], (1,), np.int64, start=0, end=1))
        return self.node("Concat", parts, (len(parts),), np.int64, axis=0)

    def reshape(self, value: GraphValue, shape: GraphShape) -> GraphValue:
        """The same numbers in another shape."""
        value = self.full(value)
        if value.shape == shape:
            return value
        if value.array is not None:
            return self.constant(value.array.reshape(shape))
        # At most one axis depends on the batch: ONNX takes its length from the others.
        target = np.array([size if isinstance(size, int) else -1 for size in shape], np.int64)
        if (target == -1).sum() > 1:
            raise NotImplementedError(f"a reshape to {shape}")
        return self.node("Reshape", [value, self.constant(target)], shape, value.dtype)

    def transpose(self, value: GraphValue, order: Sequence[int]) -> GraphValue:
        """The same numbers with their axes in another order."""
        if list(order) == list(range(len(order))):
            return value
        held = tuple(value.held[axis] for axis in order)
        shape = tuple(value.shape[axis] for axis in order)
        if value.array is not None:
            return replace(self.constant(np.ascontiguousarray(value.array.transpose(order))), shape=shape)
        return replace(self.node("Transpose", [value], held, value.dtype, perm=list(order)), shape=shape)

    def cast(self, value: GraphValue, dtype: Any) -> GraphValue:
        """The value in another type."""
        if value.dtype == dtype:
            return value
        if value.array is not None:
            return replace(self.constant(value.array.astype(dtype)), shape=value.shape)
        to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return replace(self.node("Cast", [value], value.held, dtype, to=to), shape=value.shape)

    def _check_batch(self, size: AxisLength) -> None:
        if size != self.batch:
            raise NotImplementedError(f"an axis of length {size}")


def length(shape: GraphShape) -> AxisLength:
    """The product of the lengths of axes."""
    return math.prod(shape)
