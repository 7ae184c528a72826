"""ONNX for JAX's operations on single elements and on the axes of an array, by the name of the operation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from negjax.export.graph import AxisLength, Graph, GraphShape, GraphValue

# Makes the nodes of one operation, from its inputs, its parameters in JAX, and the shape and type of its output.
OperationRule = Callable[[Graph, Sequence[GraphValue], dict[str, Any], GraphShape, np.dtype], GraphValue]

_SAME_NAME = {
    "abs": "Abs",
    "add": "Add",
    "and": "And",
    "cos": "Cos",
    "div": "Div",
    "eq": "Equal",
    "erf": "Erf",
    "exp": "Exp",
    "ge": "GreaterOrEqual",
    "gt": "Greater",
    "le": "LessOrEqual",
    "log": "Log",
    "logistic": "Sigmoid",
    "lt": "Less",
    "max": "Max",
    "min": "Min",
    "mul": "Mul",
    "neg": "Neg",
    "not": "Not",
    "or": "Or",
    "sin": "Sin",
    "sqrt": "Sqrt",
    "sub": "Sub",
    "tanh": "Tanh",
}
_LOGICAL = ("And", "Not", "Or")


def elementwise(
    graph: Graph, operator: str, inputs: Sequence[GraphValue], shape: GraphShape, dtype: Any, **attributes: Any
) -> GraphValue:
    """A node that works on single elements; axes that all inputs hold with length 1 stay so."""
    held = tuple(_longest(sizes) for sizes in zip(*(value.held for value in _of_one_rank(graph, inputs))))
    return replace(graph.node(operator, inputs, held, dtype, **attributes), shape=shape)


def _of_one_rank(graph: Graph, inputs: Sequence[GraphValue]) -> list[GraphValue]:
    rank = max(len(value.held) for value in inputs)
    return [replace(value, held=(1,) * (rank - len(value.held)) + value.held) for value in inputs]


def _longest(sizes: Sequence[AxisLength]) -> AxisLength:
    return next((size for size in sizes if not (isinstance(size, int) and size == 1)), 1)


def _plain(operator: str) -> OperationRule:
    def rule(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
        if operator in _LOGICAL and dtype.kind != "b":
            raise NotImplementedError(f"{operator} of the bits of numbers")
        return elementwise(graph, operator, inputs, shape, dtype)

    return rule


def _ne(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return elementwise(graph, "Not", [elementwise(graph, "Equal", inputs, shape, dtype)], shape, dtype)


def _square(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return elementwise(graph, "Mul", [inputs[0], inputs[0]], shape, dtype)


def _integer_pow(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return elementwise(graph, "Pow", [inputs[0], graph.constant(np.array(params["y"], dtype))], shape, dtype)


def _rsqrt(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return elementwise(graph, "Reciprocal", [elementwise(graph, "Sqrt", inputs, shape, dtype)], shape, dtype)


def _erfc(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    one = graph.constant(np.array(1, dtype))
    return elementwise(graph, "Sub", [one, elementwise(graph, "Erf", inputs, shape, dtype)], shape, dtype)


def _select_n(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    which, if_false, if_true, *others = inputs
    if others or which.dtype.kind != "b":
        raise NotImplementedError("a choice between more than two")
    return elementwise(graph, "Where", [which, if_true, if_false], shape, dtype)


def _same(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return inputs[0]


def _convert(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return graph.cast(inputs[0], dtype)


def _broadcast(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    held = [1] * len(shape)
    for axis, size in zip(params["broadcast_dimensions"], inputs[0].held):
        held[axis] = size
    added = [axis for axis in range(len(shape)) if axis not in params["broadcast_dimensions"]]
    if inputs[0].array is not None:
        return replace(graph.constant(inputs[0].array.reshape(held)), shape=shape)
    if not added:
        return replace(inputs[0], shape=shape)
    axes = graph.constant(np.array(added, np.int64))
    return replace(graph.node("Unsqueeze", [inputs[0], axes], tuple(held), dtype), shape=shape)


def _reshape(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return graph.reshape(inputs[0], shape)


def _transpose(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return graph.transpose(inputs[0], params["permutation"])


def _slice(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    value = graph.full(inputs[0])
    strides = params["strides"] or (1,) * len(shape)
    limits = params["limit_indices"]
    axes = [
        axis
        for axis, (start, limit, stride) in enumerate(zip(params["start_indices"], limits, strides))
        if (start, limit, stride) != (0, value.shape[axis], 1)
    ]
    if not axes:
        return value
    picked = [[sizes[axis] for axis in axes] for sizes in (params["start_indices"], limits, strides)]
    starts, ends, steps = (graph.constant(np.array(numbers, np.int64)) for numbers in picked)
    return graph.node("Slice", [value, starts, ends, graph.constant(np.array(axes, np.int64)), steps], shape, dtype)


def _rev(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    axes = np.array(params["dimensions"], np.int64)
    first_to_last = [np.full(len(axes), -1), np.full(len(axes), np.iinfo(np.int64).min), axes, np.full(len(axes), -1)]
    numbers = [graph.constant(part.astype(np.int64)) for part in first_to_last]
    return graph.node("Slice", [graph.full(inputs[0]), *numbers], shape, dtype)


def _concatenate(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    return graph.node("Concat", [graph.full(value) for value in inputs], shape, dtype, axis=params["dimension"])


def _pad(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    value, fill = inputs
    margins = params["padding_config"]
    if any(between or before < 0 or after < 0 for before, after, between in margins):
        raise NotImplementedError(f"padding by {margins}")
    numbers = [before for before, _, _ in margins] + [after for _, after, _ in margins]
    # onnxruntime pads no booleans.
    number_type = np.dtype(np.int32) if dtype.kind == "b" else dtype
    padded = graph.node(
        "Pad",
        [
            graph.cast(graph.full(value), number_type),
            graph.constant(np.array(numbers, np.int64)),
            graph.cast(fill, number_type),
        ],
        shape,
        number_type,
    )
    return graph.cast(padded, dtype)


def _reduce(operator: str) -> OperationRule:
    def rule(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
        axes = graph.constant(np.array(params["axes"], np.int64))
        return graph.node(operator, [graph.full(inputs[0]), axes], shape, dtype, keepdims=0)

    return rule


def _argmax(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    value = graph.full(inputs[0])
    value = graph.cast(value, np.int32) if value.dtype.kind == "b" else value
    (axis,) = params["axes"]
    return graph.cast(graph.node("ArgMax", [value], shape, np.int64, axis=axis, keepdims=0), dtype)


def _cumsum(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    axis = graph.constant(np.array(params["axis"], np.int64))
    return graph.node("CumSum", [graph.full(inputs[0]), axis], shape, dtype, reverse=int(params["reverse"]))


OPERATIONS: dict[str, OperationRule] = {
    **{name: _plain(operator) for name, operator in _SAME_NAME.items()},
    "argmax": _argmax,
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "convert_element_type": _convert,
    "copy": _same,
    "cumsum": _cumsum,
    "erfc": _erfc,
    "integer_pow": _integer_pow,
    "ne": _ne,
    "pad": _pad,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_sum": _reduce("ReduceSum"),
    "reshape": _reshape,
    "rev": _rev,
    "rsqrt": _rsqrt,
    "select_n": _select_n,
    "slice": _slice,
    "square": _square,
    "squeeze": _reshape,
    "stop_gradient": _same,
    "transpose": _transpose,
}
