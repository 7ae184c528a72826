"""ONNX for JAX's matrix products, convolutions and look-ups in tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from negjax.export.graph import Graph, GraphShape, GraphValue, length
from negjax.export.operations import OperationRule


def _dot_general(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    """Brings the axes of both factors into MatMul's order: shared ones, those of the result, those summed over."""
    (left_sum, right_sum), (left_shared, right_shared) = params["dimension_numbers"]
    left, right = (graph.cast(graph.full(value), dtype) for value in inputs)
    left_free = [axis for axis in range(len(left.shape)) if axis not in (*left_sum, *left_shared)]
    right_free = [axis for axis in range(len(right.shape)) if axis not in (*right_sum, *right_shared)]
    left = graph.transpose(left, [*left_shared, *left_free, *left_sum])
    right = graph.transpose(right, [*right_shared, *right_sum, *right_free])
    shared, free = len(left_shared), len(left_free)
    columns = length(right.shape[shared + len(right_sum) :])
    summed = length(right.shape[shared : shared + len(right_sum)])
    # Without shared axes a matrix to the right multiplies all axes of the left factor.
    rows = left.shape[shared : shared + free] if not shared else (length(left.shape[shared : shared + free]),)
    left = graph.reshape(left, (*left.shape[:shared], *rows, summed))
    right = graph.reshape(right, (*right.shape[:shared], summed, columns))
    product = graph.node("MatMul", [left, right], (*left.shape[:-1], columns), dtype)
    return graph.reshape(product, shape)


def _convolution(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    numbers = params["dimension_numbers"]
    if any(dilation != 1 for dilation in params["lhs_dilation"]) or params["batch_group_count"] != 1:
        raise NotImplementedError("a transposed convolution")
    image, kernel = (graph.full(value) for value in inputs)
    channels_first = graph.transpose(image, numbers.lhs_spec)
    padding = params["padding"]
    result = graph.node(
        "Conv",
        [channels_first, graph.transpose(kernel, numbers.rhs_spec)],
        tuple(shape[axis] for axis in numbers.out_spec),
        dtype,
        strides=list(params["window_strides"]),
        pads=[before for before, _ in padding] + [after for _, after in padding],
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
    )
    return graph.transpose(result, np.argsort(numbers.out_spec).tolist())


def _gather(graph: Graph, inputs: Sequence[GraphValue], params: Any, shape: GraphShape, dtype: Any) -> GraphValue:
    """Elements along one axis, by indices that are within it; the same in all rows, or of each row its own."""
    table, index = (graph.full(value) for value in inputs)
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    rows = len(numbers.operand_batching_dims)
    axes = tuple(numbers.start_index_map)
    whole = all(
        size == 1 if axis in (*axes, *range(rows)) else size == table.shape[axis] for axis, size in enumerate(sizes)
    )
    in_front = (numbers.operand_batching_dims, numbers.start_indices_batching_dims) == (tuple(range(rows)),) * 2
    if len(axes) != 1 or not whole or not in_front:
        raise NotImplementedError(f"a gather by {numbers}")
    axis = axes[0]
    if rows:
        if axis != rows or tuple(numbers.collapsed_slice_dims) != axes:
            raise NotImplementedError(f"a gather by {numbers}")
        return graph.node("GatherND", [table, graph.cast(index, np.int64)], shape, dtype, batch_dims=rows)
    # An axis that is looked up and kept has length 1, and one index for all.
    kept = not numbers.collapsed_slice_dims
    index = index if kept else graph.reshape(index, index.shape[:-1])
    of_index = range(axis, axis + (0 if kept else len(index.shape)))
    of_table = tuple(number for number in range(len(shape)) if number not in of_index)
    if (kept and index.shape != (1,)) or tuple(numbers.offset_dims) != of_table:
        raise NotImplementedError(f"a gather by {numbers}")
    return graph.node("Gather", [table, index], shape, dtype, axis=axis)


PRODUCTS: dict[str, OperationRule] = {
    "conv_general_dilated": _convolution,
    "dot_general": _dot_general,
    "gather": _gather,
}
