"""AdamW, clipping and schedule against PyTorch's, over several steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")

from negjax.config import Optim  # noqa: E402
from negjax.training.optimizer import make_optimizer  # noqa: E402
from negjax.training.step import new_state  # noqa: E402
from negjax.training.update import update  # noqa: E402

STEPS = 30


def test_adamw_is_pytorchs():
    """Gradients below and above the bound of the norm; the logit scale, which does not decay."""
    rng = np.random.default_rng(0)
    params = {
        "visual": {"projection": {"kernel": rng.normal(size=(40, 50))}},
        "text": {"tokens": rng.normal(size=(30, 20))},
        "logit_scale": np.array(2.0),
    }
    params = jax.tree.map(np.float32, params)
    grads = [
        jax.tree.map(lambda p: np.float32(rng.normal(size=p.shape) * 10.0 ** rng.uniform(-3, -1)), params)
        for _ in range(STEPS)
    ]
    optim = Optim(learning_rate=0.01, schedule="constant", weight_decay=0.3, clip_norm=1.0)

    leaves = [torch.nn.Parameter(torch.tensor(leaf)) for leaf in jax.tree.leaves(params)]
    groups = [{"params": leaves[1:]}, {"params": leaves[:1], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.01, betas=(optim.b1, optim.b2), eps=optim.eps, weight_decay=0.3, fused=True)
    optimizer = make_optimizer(optim, STEPS, params)

    @jax.jit
    def step(state, grads, norm):
        return update(state, grads, {"loss": norm, "gradient_norm": norm}, optimizer, optim, bounded=True)[0]

    state, norms = new_state(params, optimizer, optim), []
    for gradient in grads:
        for leaf, g in zip(leaves, jax.tree.leaves(gradient)):
            leaf.grad = torch.tensor(g)
        norms.append(float(torch.nn.utils.clip_grad_norm_(leaves, 1.0)))
        adamw.step()
        state = step(state, gradient, jnp.float32(norms[-1]))
    assert min(norms) < 0.5
    assert max(norms) > 2
    for leaf, found in zip(leaves, jax.tree.leaves(state["params"])):
        np.testing.assert_allclose(found, leaf.detach().numpy(), rtol=2e-6, atol=2e-7)
