"""Optimizers by name, as chains of optax: clipping, direction, decoupled decay, schedule, factors by path.

adamw: Loshchilov and Hutter 2019. lion: Chen et al. 2023. adafactor: Shazeer and Stern 2018 as Zhai et al. 2022 train
vision transformers with it: momentum b1, no scaling by the parameters' size, the second moment's decay below b2.
muon: Jordan et al. 2024 on the kernels of linear layers, scaled to the size of AdamW's updates (Liu et al. 2025), and
AdamW on all else. sgd: with momentum. Their states are float32, as the parameters are.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from negjax.config import OPTIMIZERS, Optim
from negjax.errors import NegjaxError
from negjax.models.clip import Params
from negjax.training.guard import with_hold

_STATISTICS = r"visual/.*norm\w*/(mean|variance)"
PATH_HINT = "(paths look like 'visual/patch/kernel')"


def paths(params: Params) -> Any:
    """The same tree with each leaf replaced by its path, "visual/transformer/blocks/0/up/kernel"."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path, simple=True, separator="/"), params
    )


def trainable(params: Params, freeze: tuple[str, ...]) -> Any:
    """The same tree with True where a parameter learns. The statistics of batch norms never do.

    Args:
        params: arrays or their shapes.
        freeze: regular expressions for the whole paths of others that do not.

    Raises:
        NegjaxError: a pattern matches no path, or all parameters are frozen.
    """
    names = paths(params)
    for pattern in freeze:
        if not any(re.fullmatch(pattern, name) for name in jax.tree.leaves(names)):
            raise NegjaxError(f"config.optim.freeze: {pattern!r} matches no parameter {PATH_HINT}")
    frozen = (_STATISTICS, *freeze)
    learns = jax.tree.map(lambda name: not any(re.fullmatch(pattern, name) for pattern in frozen), names)
    if not any(jax.tree.leaves(learns)):
        raise NegjaxError("config.optim.freeze matches all parameters: leave some to train")
    return learns


def partition(tree: Any, learns: Any) -> tuple[list, list]:
    """Leaves of a tree like the parameters': those of parameters that learn, and the others. learns: `trainable`."""
    leaves = list(zip(jax.tree.leaves(tree), jax.tree.leaves(learns), strict=True))
    return [leaf for leaf, learn in leaves if learn], [leaf for leaf, learn in leaves if not learn]


def combine(moving: list, fixed: list, learns: Any) -> Any:
    """The tree that `partition` took apart."""
    moving_leaves, fixed_leaves = iter(moving), iter(fixed)
    return jax.tree.map(lambda learn: next(moving_leaves if learn else fixed_leaves), learns)


def decays(params: Params) -> Any:
    """The same tree with True where weight decay applies: not to biases, nor to what has fewer than two axes."""
    return jax.tree.map(lambda name, leaf: leaf.ndim >= 2 and not name.endswith("/bias"), paths(params), params)


def factors(params: Params, optim: Optim) -> Any:
    """The same tree with the factor of the learning rate: the path's times its layer's.

    Raises:
        NegjaxError: a pattern of `lr_factors` is the first to match for no path.
    """
    names, used = paths(params), set()
    layers = {tower: _first_layers(params.get(tower, {})) for tower in ("visual", "text")}

    def factor(name: str) -> float:
        first = next((pair for pair in optim.lr_factors if re.fullmatch(pair[0], name)), None)
        used.add(first)
        return (first[1] if first else 1.0) * optim.layer_decay ** _layers_above(name, layers)

    tree = jax.tree.map(factor, names)
    for pair in optim.lr_factors:
        if pair not in used:
            raise NegjaxError(
                f"config.optim.lr_factors: {pair[0]!r} matches no parameter beyond earlier patterns {PATH_HINT}"
            )
    return tree


def _first_layers(tower: Params) -> tuple[dict[str, int], int]:
    """Name of each group of blocks -> number of blocks before it, and the number of all blocks.

    A transformer is one such group, the stages of a convolutional tower are four.
    """
    first, depth = {}, 0
    for group in sorted(name for name, part in tower.items() if isinstance(part, dict) and "blocks" in part):
        first[group] = depth
        depth += len(tower[group]["blocks"])
    return first, depth


def _layers_above(name: str, layers: dict[str, tuple[dict[str, int], int]]) -> int:
    """From the top of a parameter's tower: 0 in the head, 1 in the last block, depth + 1 in the embeddings.

    As BEiT counts (Bao et al. 2022), in each tower; the logit scale is in none. What leads to a stage counts with its
    first block.
    """
    tower, _, rest = name.partition("/")
    if tower not in layers or re.match(r"(norm_post|norm_final|pool|projection)/", rest):
        return 0
    first, depth = layers[tower]
    group = rest.partition("/")[0]
    if group not in first:
        return depth + 1
    block = re.match(r"\w+/blocks/(\d+)/", rest)
    return depth - first[group] - (int(block[1]) if block else 0)


def schedule(optim: Optim, steps: int) -> optax.Schedule:
    """The learning rate by count of updates: a linear warm-up to the peak, then cosine or linear to 0, or constant.

    Args:
        optim: peak, warm-up and form.
        steps: the length of the run, at whose end the rate is 0.
    """
    peak, warmup = optim.learning_rate, optim.warmup_steps
    if optim.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, peak, warmup, max(steps, 1))
    end = 0.0 if optim.schedule == "linear" else peak
    parts = [optax.linear_schedule(0.0, peak, warmup), optax.linear_schedule(peak, end, steps - warmup)]
    return optax.join_schedules(parts, [warmup])


def make_optimizer(optim: Optim, steps: int, params: Params) -> optax.GradientTransformationExtraArgs:
    """The transformation of gradients for a tree like `params`.

    Parameters that do not learn have no optimizer state. Where the extra argument `hold` is true, moments stay as they
    are and the updates have no meaning; where `halted` is true, so does the schedule.

    Args:
        optim: the settings.
        steps: the length of the run.
        params: of these only paths and shapes are used.

    Raises:
        NegjaxError: a pattern matches no parameter, or the warm-up is longer than the run.
    """
    if optim.warmup_steps >= steps:
        raise NegjaxError(f"config.optim.warmup_steps is {optim.warmup_steps}: it must be less than the {steps} steps")
    learn = optax.chain(
        _clip(optim.clip_norm) if optim.clip_norm else optax.identity(),
        _direction(optim),
        optax.add_decayed_weights(optim.weight_decay, decays),
        with_hold(optax.scale_by_learning_rate(schedule(optim, steps)), by="halted"),
    )
    labels = jax.tree.map(lambda learns: "learn" if learns else "freeze", trainable(params, optim.freeze))
    factor = factors(params, optim)
    return optax.chain(
        optax.multi_transform({"learn": learn, "freeze": optax.set_to_zero()}, labels),
        optax.stateless(lambda updates, _: jax.tree.map(jnp.multiply, updates, factor)),
    )


def _clip(max_norm: float) -> optax.GradientTransformation:
    """`optax.clip_by_global_norm` as one factor for all, which costs no pass over the gradient of its own."""

    def clip(grads: Params, _: Params | None) -> Params:
        norm = optax.tree.norm(grads)
        factor = jnp.where(norm < max_norm, 1.0, max_norm / norm)
        return jax.tree.map(lambda x: factor * x, grads)

    return optax.stateless(clip)


def _direction(optim: Optim) -> optax.GradientTransformation:
    """From gradients to updates before decay, learning rate and sign."""
    settings: dict[str, Any] = {key: getattr(optim, key) for key in OPTIMIZERS[optim.name]}
    if optim.name == "adamw":
        return _adam(**settings)
    if optim.name == "lion":
        return with_hold(optax.scale_by_lion(**settings))
    if optim.name == "adafactor":
        return _adafactor(**settings)
    if optim.name == "muon":
        return _muon(**settings)
    if settings["momentum"]:
        return _from_state(optax.trace(settings["momentum"]), lambda state: state.trace)
    return optax.identity()


def _from_state(
    inner: optax.GradientTransformation, direction: Callable[[Any], Params]
) -> optax.GradientTransformationExtraArgs:
    """`with_hold`, with updates that are computed from the state after the update: see `negjax.training.update`."""
    moments = with_hold(inner)

    def update(updates: Params, state: Any, params: Params | None = None, **extra: Any) -> tuple[Params, Any]:
        state = moments.update(updates, state, params, **extra)[1]
        return direction(state), state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _adam(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """`optax.scale_by_adam` with the corrections of both moments' bias in the denominator: one division, not three."""

    def direction(state: optax.ScaleByAdamState) -> Params:
        first, second = 1 - b1**state.count, 1 - b2**state.count
        ratio = first / jnp.sqrt(second)
        return jax.tree.map(lambda mu, nu: mu / (ratio * jnp.sqrt(nu) + first * eps), state.mu, state.nu)

    return _from_state(optax.scale_by_adam(b1, b2, eps), direction)


def _adafactor(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    def decay(count: jax.Array, rate: jax.Array) -> jax.Array:
        return jnp.minimum(b2, 1 - (count + 1.0) ** -rate)

    return optax.chain(
        with_hold(optax.scale_by_factored_rms(decay_rate_fn=decay, epsilon=eps)),
        optax.clip_by_block_rms(1.0),
        _from_state(optax.ema(b1, debias=False), lambda state: state.ema) if b1 else optax.identity(),
    )


def _muon(momentum: float, b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    def labels(params: Params) -> Any:
        linear = jax.tree.map(lambda name, x: name.endswith("/kernel") and x.ndim in (2, 3), paths(params), params)
        return jax.tree.map(lambda is_linear: "muon" if is_linear else "adam", linear)

    def matrices(params: Params) -> Any:
        """From the first axis to the last; the three matrices of a qkv kernel [D, 3, D] are taken one by one."""
        return jax.tree.map(lambda x: optax.contrib.MuonDimensionNumbers(0, x.ndim - 1), params)

    def scaled(updates: Params, _: Params | None) -> Params:
        """To a root mean square of about 0.2, whatever the shape (Liu et al. 2025, equation 4)."""
        return jax.tree.map(lambda x: 0.2 * math.sqrt(max(x.shape[0], x.shape[-1])) * x, updates)

    muon = with_hold(optax.contrib.scale_by_muon(beta=momentum, weight_dimension_numbers=matrices))
    return optax.partition({"muon": optax.chain(muon, optax.stateless(scaled)), "adam": _adam(b1, b2, eps)}, labels)
