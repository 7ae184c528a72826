"""The update of a state: what XLA makes of it, and where a state's arrays lie in a checkpoint."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.config import Optim
from negjax.training.optimizer import make_optimizer, paths
from negjax.training.step import new_state
from negjax.training.update import update

SHAPE = (24, 36)  # of no other array
PARAMS = {
    "visual": {"projection": {"kernel": np.ones(SHAPE, np.float32)}},
    "text": {"tokens": np.ones(SHAPE, np.float32)},
    "logit_scale": np.float32(2.0),
}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_no_array_is_copied(name):
    """One pass: moments, parameters and averages are written where the old ones were, and nothing lies between."""
    optim = Optim(name=name, ema=0.9, spike_factor=3.0, freeze=("text/.*",))
    optimizer = make_optimizer(optim, 10, PARAMS)
    state = new_state(PARAMS, optimizer, optim)

    def step(state, grads, loss, norm):
        return update(state, grads, {"loss": loss, "gradient_norm": norm}, optimizer, optim, bounded=True)

    program = jax.jit(step, donate_argnums=0).lower(state, PARAMS, jnp.float32(1), jnp.float32(1)).compile()
    text = program.as_text()
    written = re.findall(
        r"^ +(?:ROOT )?%\S+ = f32\[24,36\]\S* (\w+)\(", text[text.index("\nENTRY") :], flags=re.MULTILINE
    )
    moments = {"adamw": 2, "sgd": 1}[name]
    # Of what learns: moments, parameter, average and, for the norm, its square (a fusion or a product by itself);
    # of what is frozen: its average. A copy would be one more.
    computed = [operation for operation in written if operation != "parameter"]
    assert len(computed) == moments + 4
    assert set(computed) <= {"fusion", "multiply"}
    sizes = program.memory_analysis()
    assert sizes.alias_size_in_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def test_the_paths_of_a_state_are_those_of_earlier_checkpoints():
    params = {name: PARAMS[name] for name in PARAMS}
    state = new_state(params, make_optimizer(Optim(freeze=("text/.*",)), 10, params))
    learn = "opt_state/0/inner_states/learn/inner_state"
    moments = [
        f"{learn}/1/{moment}/{leaf}" for moment in ("mu", "nu") for leaf in ("logit_scale", "visual/projection/kernel")
    ]
    guard = ["guard/halted", "guard/skipped"]
    wanted = [*guard, f"{learn}/1/count", *moments, f"{learn}/3/count", "params/logit_scale", "params/text/tokens"]
    assert jax.tree.leaves(paths(state)) == [*wanted, "params/visual/projection/kernel", "step"]
