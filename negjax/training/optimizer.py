"""AdamW as CLIP is trained with it: decay and learning masked by path, warm-up and cosine, clipping."""

import re
from typing import Any

import jax
import optax

from negjax.config import Optim
from negjax.errors import NegjaxError
from negjax.models.clip import Params


def paths(params: Params) -> Any:
    """The same tree with each leaf replaced by its path, "visual/transformer/blocks/0/up/kernel"."""
    return jax.tree_util.tree_map_with_path(lambda path, _: "/".join(entry.key for entry in path), params)


def trainable(params: Params, freeze: tuple[str, ...]) -> Any:
    """The same tree with True where a parameter learns. Raises NegjaxError for a pattern that fits no path."""
    names = paths(params)
    for pattern in freeze:
        if not any(re.fullmatch(pattern, name) for name in jax.tree.leaves(names)):
            raise NegjaxError(
                f"config.optim.freeze: {pattern!r} fits no parameter (paths look like 'visual/patch/kernel')"
            )
    return jax.tree.map(lambda name: not any(re.fullmatch(pattern, name) for pattern in freeze), names)


def decays(params: Params) -> Any:
    """The same tree with True where weight decay applies: not to biases, nor to what has fewer than two axes."""
    return jax.tree.map(lambda name, leaf: leaf.ndim >= 2 and not name.endswith("/bias"), paths(params), params)


def schedule(optim: Optim, steps: int) -> optax.Schedule:
    """Linear warm-up from 0 to the peak, then a cosine to 0 at the last step."""
    return optax.warmup_cosine_decay_schedule(0.0, optim.learning_rate, optim.warmup_steps, max(steps, 1))


def make_optimizer(optim: Optim, steps: int, params: Params) -> optax.GradientTransformation:
    """The transformation for a tree like `params`; parameters that do not learn have no optimizer state."""
    if optim.warmup_steps >= steps:
        raise NegjaxError(f"config.optim.warmup_steps is {optim.warmup_steps}: it must be less than the {steps} steps")
    adamw = optax.adamw(
        schedule(optim, steps),
        b1=optim.b1,
        b2=optim.b2,
        eps=optim.eps,
        weight_decay=optim.weight_decay,
        mask=decays,
    )
    clip = optax.clip_by_global_norm(optim.clip_norm) if optim.clip_norm else optax.identity()
    labels = jax.tree.map(lambda learns: "learn" if learns else "freeze", trainable(params, optim.freeze))
    return optax.multi_transform({"learn": optax.chain(clip, adamw), "freeze": optax.set_to_zero()}, labels)
