"""LoRA's factors: what they add to which matrix, in NumPy; what is refused."""

import jax
import numpy as np
import pytest

from negjax.adapters.lora import adapted, fold, new_adapter
from negjax.config import LoRA
from negjax.errors import NegjaxError
from negjax.models.clip import flatten_params

QKV, UP, BIAS = "attention/qkv/kernel", "up/kernel", "up/bias"
BOTH = LoRA(rank=2, alpha=6, matrices=(".*/(qkv|up)/kernel",))


@pytest.fixture(scope="module")
def params() -> dict:
    """The kernels of a block, and a bias."""
    rng = np.random.default_rng(0)
    shapes = {"attention": {"qkv": {"kernel": (5, 3, 4)}}, "up": {"kernel": (5, 7), "bias": (7,)}}
    block = jax.tree.map(
        lambda shape: np.float32(rng.normal(size=shape)), shapes, is_leaf=lambda x: isinstance(x, tuple)
    )
    return {"text": block, "logit_scale": np.float32(2)}


def trained(params: dict, lora: LoRA) -> dict:
    """An adapter after some steps: none of its factors is 0."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: np.float32(x + rng.normal(size=x.shape)), new_adapter(params, lora, 0))


def test_a_product_of_two_matrices_is_added(params):
    adapter = trained(params, BOTH)
    found, kernels = flatten_params(fold(params, adapter, BOTH)), flatten_params(params)
    up, qkv = adapter["text"]["up"]["kernel"], adapter["text"]["attention"]["qkv"]["kernel"]
    np.testing.assert_allclose(found[f"text/{UP}"], kernels[f"text/{UP}"] + 3 * up["a"] @ up["b"], rtol=1e-5)
    for part in range(3):
        added = 3 * qkv["a"][:, part] @ qkv["b"][part]
        np.testing.assert_allclose(found[f"text/{QKV}"][:, part], kernels[f"text/{QKV}"][:, part] + added, rtol=1e-5)
    for name in (f"text/{BIAS}", "logit_scale"):
        assert found[name] is kernels[name]


def test_dora_learns_the_length_of_columns_apart(params):
    lora = LoRA(rank=2, alpha=6, matrices=("text/up/kernel",), dora=True)
    adapter, kernel = trained(params, lora), params["text"]["up"]["kernel"]
    factors = adapter["text"]["up"]["kernel"]
    direction = kernel + 3 * factors["a"] @ factors["b"]
    wanted = factors["magnitude"] * direction / np.sqrt((direction**2).sum(axis=0))
    np.testing.assert_allclose(fold(params, adapter, lora)["text"]["up"]["kernel"], wanted, rtol=1e-5)
    start = fold(params, new_adapter(params, lora, 0), lora)
    np.testing.assert_allclose(start["text"]["up"]["kernel"], kernel, rtol=1e-6)


def test_a_new_adapter_changes_no_bit_and_depends_on_the_seed_alone(params):
    adapter = new_adapter(params, BOTH, 0)
    for one, other in zip(jax.tree.leaves(fold(params, adapter, BOTH)), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(one, other)
    again, another = (new_adapter(params, BOTH, seed)["text"]["up"]["kernel"]["a"] for seed in (0, 1))
    np.testing.assert_array_equal(again, adapter["text"]["up"]["kernel"]["a"])
    assert np.any(again != another)


def test_which_matrices_are_adapted(params):
    chosen = {path for path, is_adapted in flatten_params(adapted(params, BOTH)).items() if is_adapted}
    assert chosen == {f"text/{QKV}", f"text/{UP}"}
    assert new_adapter(params, LoRA(rank=1, matrices=("text/up/.*",)), 0)["text"].keys() == {"up"}  # not the bias


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (
            LoRA(rank=2, matrices=(".*/up/kernel", "vision/.*")),
            r"config\.lora\.matrices: 'vision/\.\*' matches no matrix",
        ),
        (LoRA(rank=2, matrices=("text/up/bias",)), r"'text/up/bias' matches no matrix of the model"),
        (LoRA(rank=5, matrices=("text/.*",)), r"rank is 5, more than text/attention/qkv/kernel has \(5 x 4\): choose"),
    ],
)
def test_what_suits_no_matrix(params, lora, message):
    with pytest.raises(NegjaxError, match=message):
        adapted(params, lora)
