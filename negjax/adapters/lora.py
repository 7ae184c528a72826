"""LoRA: a product of two small matrices is added to a frozen one, W + alpha / rank x A B (Hu et al. 2021).

A model with an adapter computes with the folded weights, so that it costs a product of small matrices more in a step
and nothing afterwards. The tree of an adapter is that of the parameters, with a dict of factors in the place of each
adapted kernel.

Shapes: I inputs, O outputs and r the rank; the kernels of q, k and v are one array [I, 3, O], and have an adapter each.
"""

import math
import re
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from negjax.adapters.adapter import AdapterKind, Tree
from negjax.config.adapter import LoRA
from negjax.errors import NegjaxError

_KERNEL = re.compile(r".*/kernel")
_EXACT = jax.lax.Precision.HIGHEST


def adapted(params: Tree, lora: LoRA) -> Tree:
    """The tree of the parameters with True for the matrices that get an adapter.

    Args:
        params: the parameters of the model, or their shapes.
        lora: the settings.

    Raises:
        NegjaxError: a pattern matches no matrix, or one is smaller than the rank.
    """
    matrices = {path: leaf.shape for path, leaf in _paths(params).items() if _is_matrix(path, leaf.shape)}
    for pattern in lora.matrices:
        if not any(re.fullmatch(pattern, path) for path in matrices):
            raise NegjaxError(
                f"config.lora.matrices: {pattern!r} matches no matrix of the model (paths look like "
                "'text/transformer/blocks/0/attention/qkv/kernel')"
            )
    chosen = {path for path in matrices if any(re.fullmatch(pattern, path) for pattern in lora.matrices)}
    for path in sorted(chosen):
        shape = matrices[path]
        if lora.rank > min(shape[0], shape[-1]):
            raise NegjaxError(
                f"config.lora.rank is {lora.rank}, more than {path} has ({shape[0]} x {shape[-1]}): choose a smaller "
                "one, or leave this matrix out of config.lora.matrices"
            )
    return jax.tree_util.tree_map_with_path(lambda path, _: _name(path) in chosen, params)


def new_adapter(params: Tree, lora: LoRA, seed: int) -> Tree:
    """The adapter before the first step, which changes nothing: A is drawn from N(0, 1 / I), and B is 0.

    Args:
        params: the parameters of the model.
        lora: the settings.
        seed: of A.

    Returns:
        for each adapted kernel {"a": [I, r] or [I, 3, r], "b": [r, O] or [3, r, O]}, with DoRA also
        {"magnitude": [O] or [3, O]}, the lengths of its columns.

    Raises:
        NegjaxError: see `adapted`.
    """
    is_adapted = _paths(adapted(params, lora))
    tree: Tree = {}
    for path, kernel in _paths(params).items():
        if is_adapted[path]:
            key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(path.encode()))
            *inputs, outputs = kernel.shape
            a = jax.random.normal(key, (*inputs, lora.rank), jnp.float32) / math.sqrt(inputs[0])
            factors = {"a": a, "b": jnp.zeros((*inputs[1:], lora.rank, outputs), jnp.float32)}
            if lora.dora:
                factors["magnitude"] = jnp.linalg.norm(kernel, axis=0)
            _put(tree, path, factors)
    return tree


def fold(params: Tree, adapter: Tree, lora: LoRA) -> Tree:
    """The parameters with the adapter folded into them; those without one as they are.

    With DoRA a column w of W + alpha / rank x A B becomes m w / |w|, where |w| counts as a constant in the gradient
    (Liu et al. 2024, equation 5).

    Args:
        params: the frozen parameters.
        adapter: of `new_adapter`, trained.
        lora: the settings.
    """

    def folded(node: Any, part: Any) -> Any:
        if part is None:
            return node
        if isinstance(node, Mapping):
            return {name: folded(child, part.get(name)) for name, child in node.items()}
        product = "ir,ro->io" if node.ndim == 2 else "ikr,kro->iko"
        kernel = node + (lora.alpha / lora.rank) * jnp.einsum(product, part["a"], part["b"], precision=_EXACT)
        if lora.dora:
            length = jax.lax.stop_gradient(jnp.linalg.norm(kernel, axis=0))
            kernel = kernel * (part["magnitude"] / length)
        return kernel

    return folded(params, adapter)


def _is_matrix(path: str, shape: tuple[int, ...]) -> bool:
    """Whether a parameter is the kernel of a linear layer, or of three in one."""
    return bool(_KERNEL.fullmatch(path)) and len(shape) in (2, 3)


def _paths(tree: Tree) -> dict[str, Any]:
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _put(tree: Tree, path: str, value: Any) -> None:
    *folders, last = path.split("/")
    for name in folders:
        tree = tree.setdefault(name, {})
    tree[last] = value


ADAPTER = AdapterKind(settings=LoRA, new_adapter=new_adapter, adapt=fold, adapted=adapted)
