"""A function of JAX as an ONNX graph: its operations one by one, those on constants alone computed here."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from negjax.export.graph import Graph, GraphValue
from negjax.export.operations import OPERATIONS
from negjax.export.products import PRODUCTS

_RULES = OPERATIONS | PRODUCTS
# Operations that call a function, and where they keep it.
_CALLS = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}


def trace_graph(
    function: Callable[[Any, Any], jax.Array], params: Any, input_name: str, example: jax.ShapeDtypeStruct
) -> tuple[Graph, GraphValue]:
    """Traces a function and makes its graph.

    Args:
        function: (params, input) -> output.
        params: The tree of its parameters; they become constants of the graph.
        input_name: The name of the input in the graph.
        example: The input's shape, whose first axis is the only symbolic one, and type.

    Returns:
        The graph and its output.

    Raises:
        NotImplementedError: For an operation that has no rule here.
    """
    program = jax.make_jaxpr(function)(jax.eval_shape(lambda: params), example)
    graph = Graph(input_name, tuple(example.shape), example.dtype)
    leaves = [graph.constant(leaf) for leaf in jax.tree.leaves(params)]
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        (output,) = _convert(graph, program.jaxpr, program.consts, [*leaves, graph.input])
    return graph, graph.full(output)


def _convert(graph: Graph, program: Any, constants: Sequence[Any], inputs: Sequence[GraphValue]) -> list[GraphValue]:
    """The outputs of a program (a jaxpr)."""
    values: dict[Any, GraphValue] = dict(zip(program.invars, inputs))
    values |= {variable: graph.constant(constant) for variable, constant in zip(program.constvars, constants)}

    def read(atom: Any) -> GraphValue:
        if isinstance(atom, Literal):
            aval: Any = atom.aval
            return graph.constant(np.asarray(atom.val, aval.dtype))
        return values[atom]

    for equation in program.eqns:
        outputs = _apply(graph, equation, [read(atom) for atom in equation.invars])
        values |= dict(zip(equation.outvars, outputs))
    return [read(atom) for atom in program.outvars]


def _apply(graph: Graph, equation: Any, inputs: Sequence[GraphValue]) -> list[GraphValue]:
    """The outputs of one operation."""
    name, outputs = equation.primitive.name, [variable.aval for variable in equation.outvars]
    if name in _CALLS:
        called = equation.params[_CALLS[name]]
        return _convert(graph, called.jaxpr, called.consts, inputs)
    rule = _RULES.get(name)
    # Repeated constants stay as short as they are.
    if name != "broadcast_in_dim" and _is_constant(inputs, outputs):
        computed = equation.primitive.bind(*(graph.full(value).array for value in inputs), **equation.params)
        return [graph.constant(array) for array in (computed if equation.primitive.multiple_results else [computed])]
    if rule is None or len(outputs) != 1:
        raise NotImplementedError(f"the operation {name}")
    return [rule(graph, inputs, equation.params, tuple(outputs[0].shape), np.dtype(outputs[0].dtype))]


def _is_constant(inputs: Sequence[GraphValue], outputs: Sequence[Any]) -> bool:
    """Whether an operation has constants alone, and all its axes lengths of their own."""
    shapes = [value.shape for value in inputs] + [aval.shape for aval in outputs]
    return all(value.array is not None for value in inputs) and all(
        isinstance(size, int) for shape in shapes for size in shape
    )
