"""Convolutional image towers: layers against NumPy, operations against XLA, sharded and unsharded training steps."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from negjax.config import Experiment, ModelSpec, Optim, Source
from negjax.errors import NegjaxError
from negjax.experiment import initial_model
from negjax.media.images import Preprocess
from negjax.models import clip
from negjax.models.compute import Compute
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.convolution import Convolution, average_pool
from negjax.models.elementwise import BatchNorm
from negjax.models.flops import image_flops
from negjax.models.init import init_params
from negjax.models.presets import preset
from negjax.models.timm_towers import hybrid
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import param_shards, state_shardings
from negjax.training.encode import Towers
from negjax.training.optimizer import factors, make_optimizer, trainable
from negjax.training.step import make_step, new_state

TOWERS = {
    "resnet": ResNetConfig(64, 8, (1, 2, 1, 3), 4),
    "convnext": ConvNeXtConfig(64, (8, 16, 32, 64), (1, 2, 1, 3), projection="mlp"),
    "mobileclip": hybrid(64, 16, 32, 2, 4),
}


def small(kind: str):
    tiny = preset("tiny")
    text = dataclasses.replace(tiny.text, depth=1, width=16, heads=2, mlp_width=32)
    return dataclasses.replace(tiny, embed_dim=32, vision=TOWERS[kind], text=text, family=kind)


def trained(config):
    """Parameters as after training: statistics and scales away from their first values."""
    rng = np.random.default_rng(0)

    def change(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name.endswith("variance"):
            return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        noise = 0.3 if name.startswith("visual") and leaf.ndim == 1 else 0.0
        return leaf + (noise * rng.normal(size=leaf.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(change, init_params(config, 0))


def test_a_convolution_is_a_sum_over_windows():
    rng = np.random.default_rng(0)
    for stride, groups in ((1, 1), (2, 1), (1, 4)):
        layer = Convolution(3, 4, 4, stride=stride, groups=groups, bias=True)
        kernel = rng.normal(size=layer.shape).astype(np.float32)
        layer.kernel[...], layer.bias[...] = jnp.asarray(kernel), jnp.arange(4.0)
        x = rng.normal(size=(2, 6, 5, 4)).astype(np.float32)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = np.array(layer(jnp.asarray(x)))
        for row, column in np.ndindex(y.shape[1:3]):
            window = padded[:, row * stride :, column * stride :][:, :3, :3]
            want = np.einsum("bhwc,hwco->bo", window, kernel) if groups == 1 else (window * kernel[:, :, 0]).sum((1, 2))
            np.testing.assert_allclose(y[:, row, column], want + np.arange(4), atol=1e-5)


def test_kernel_gradients_in_bfloat16_are_summed_in_float32():
    """2049 rows of 1: a sum in bfloat16 stops at 256."""
    graph, state = nnx.split(Convolution(1, 1, 1))

    def total(state):
        return nnx.merge(graph, state)(jnp.ones((1, 2049, 1, 1), jnp.bfloat16)).astype(jnp.float32).sum()

    (gradient,) = jax.tree.leaves(jax.grad(total)(state))
    assert gradient.item() == 2049


def test_averages_and_batch_norms():
    x = np.arange(2 * 5 * 4 * 1, dtype=np.float32).reshape(2, 5, 4, 1)
    want = [[[x[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in (0, 1)] for i in (0, 1)] for b in (0, 1)]
    np.testing.assert_array_equal(average_pool(jnp.asarray(x), 2)[..., 0], want)
    norm = BatchNorm(1)
    norm.scale[...], norm.bias[...], norm.mean[...], norm.variance[...] = (jnp.full(1, v) for v in (3.0, 2.0, 4.0, 9.0))
    np.testing.assert_allclose(norm(jnp.asarray(x)), 3 * (x - 4) / np.sqrt(9 + 1e-5) + 2, atol=1e-5)


def test_sizes_and_projections_are_checked():
    for changes, message in (
        ({"image_size": 72}, "image size 72 of a resnet is not a multiple of 32"),
        ({"heads": 3}, "by 3 heads"),
        ({"depths": (1, 2, 1)}, r"depths is \(1, 2, 1\): it must be 4 whole numbers of at least 1 and at most 256"),
        ({"depths": (1, 10**9, 1, 1)}, "at most 256"),
        ({"depths": (1, "2", 1, 1)}, "4 whole numbers"),
    ):
        with pytest.raises(NegjaxError, match=message):
            dataclasses.replace(small("resnet"), vision=dataclasses.replace(TOWERS["resnet"], **changes))
    with pytest.raises(NegjaxError, match="patch size 10 is not a multiple of 4, as a stem needs it"):
        dataclasses.replace(small("mobileclip"), vision=dataclasses.replace(TOWERS["mobileclip"], patch_size=10))
    with pytest.raises(NegjaxError, match="unknown vision projection 'none'; choose one of linear, mlp"):
        dataclasses.replace(small("convnext"), vision=dataclasses.replace(TOWERS["convnext"], projection="none"))


def test_operations_are_those_that_the_compiler_counts():
    config = small("resnet")
    image = jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32)
    run = jax.jit(lambda params, x: clip.encode_image(config, params, x))
    theirs = run.lower(clip.abstract_params(config), image).compile().cost_analysis()["flops"]
    # XLA counts norms and activations too, and not the products with the padding of a convolution.
    assert 0.85 * theirs <= 2 * image_flops(config) <= 1.15 * theirs


@pytest.mark.parametrize(("name", "billions"), [("tiny", 4.5), ("small", 8.7), ("base", 15.4), ("large", 34.4)])
def test_operations_of_convnexts_are_those_of_the_paper(name, billions):
    """Multiplications for an image of 224 pixels (Liu et al. 2022, table 1)."""
    assert image_flops(preset(f"convnext_{name}")) / 2e9 == pytest.approx(billions, abs=0.1)


def test_layers_of_stages_are_counted_through():
    """Layer decay: from the top, over the seven blocks of all stages."""
    decayed = clip.flatten_params(factors(clip.abstract_params(small("convnext")), Optim(layer_decay=0.5)))
    for path, layers in (
        ("visual/projection/up/kernel", 0),
        ("visual/stage4/blocks/2/up/kernel", 1),
        ("visual/stage4/blocks/0/up/kernel", 3),
        ("visual/stage4/downsample/kernel", 3),
        ("visual/stage2/blocks/1/up/kernel", 5),
        ("visual/stage1/blocks/0/up/kernel", 7),
        ("visual/patch/kernel", 8),
    ):
        assert decayed[path] == 0.5**layers, path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("resnet", Compute()),
        ("convnext", Compute()),
        *((kind, Compute(remat="full", scan=True)) for kind in TOWERS),
    ],
)
def test_a_sharded_step_is_the_step_of_one_device(kind, how):
    config = small(kind)
    params, rng = trained(config), np.random.default_rng(1)
    tokens = rng.integers(1, 49000, (8, 12)).astype(np.int32)
    batch = {"pairs": {"image": rng.integers(256, size=(8, 64, 64, 3), dtype=np.uint8), "text": tokens}}
    optimizer = make_optimizer(Optim(name="sgd", learning_rate=0.1, momentum=0.0, warmup_steps=0), 10, params)
    results, sources = {}, {"pairs": Source("a", 8, contrastive=1.0)}
    for name, mesh in (("one", make_mesh(jax.devices()[:1])), ("many", make_mesh(fsdp=2, tensor=2))):
        towers = Towers(config, Preprocess(size=64), how if name == "many" else Compute())
        step = make_step(sources, towers, optimizer, trainable(params, ()), mesh=mesh)
        state = new_state(params, optimizer)
        placed = jax.device_put(state, state_shardings(mesh, state))
        after, metrics = jax.jit(step)(placed, put_batch(mesh, batch), None)
        results[name] = clip.flatten_params(jax.device_get(after["params"])), float(metrics["gradient_norm"])
    (one, norm), (many, sharded_norm) = results["one"], results["many"]
    assert norm > 1e-3
    assert sharded_norm == pytest.approx(norm, rel=1e-4)
    before = clip.flatten_params(params)
    for path, leaf in one.items():
        np.testing.assert_allclose(many[path], leaf, atol=2e-5, err_msg=path)
        is_statistic = path.endswith(("/mean", "/variance"))
        assert is_statistic == np.array_equal(leaf, before[path]) or not path.startswith("visual"), path
    shards = jax.tree.leaves(param_shards(make_mesh(fsdp=2), params["visual"]), is_leaf=lambda x: hasattr(x, "spec"))
    assert sum(any(shard.spec) for shard in shards) > 7


@pytest.mark.parametrize("name", ["RN50", "MobileCLIP-B"])
def test_batch_norms_are_not_trained_from_scratch(name):
    spec = ModelSpec(arch=name)
    with pytest.raises(NegjaxError, match=rf"{name} cannot be trained from scratch.*init_from"):
        initial_model(Experiment(spec, {"pairs": Source("a", 8, contrastive=1.0)}, "data", 2))
