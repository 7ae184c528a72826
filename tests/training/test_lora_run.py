"""Training an adapter: its gradient, on any mesh and in parts; a run, its checkpoints, and what they belong to."""

import dataclasses
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from support.drawn_batches import PREPROCESS, assert_close, draw_batch

from negjax.adapters.lora import adapted, fold, new_adapter
from negjax.adapters.table import make_adapter
from negjax.cli import main
from negjax.config import Experiment, LoRA, LossSpec, ModelSpec, Optim, Source
from negjax.errors import NegjaxError
from negjax.models.clip import flatten_params
from negjax.models.init import init_params
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.training.encode import Towers
from negjax.training.guard import with_hold
from negjax.training.loop import train
from negjax.training.optimizer import trainable
from negjax.training.prepare import prepare_run
from negjax.training.step import make_step, new_state
from negjax.weights.read import read_model
from negjax.weights.write import write_negjax

SOURCES = {"pairs": Source("a", 16, contrastive=0.7, distill=0.5), "balanced": Source("b", 32, mcq=1.0)}
RANK_2 = LoRA(rank=2, alpha=6, matrices=("text/.*/kernel", "visual/.*/(qkv|down)/kernel"))
KEEP_GRADIENTS = with_hold(optax.trace(0.0))  # an optimizer whose state is the last gradient


@pytest.fixture(scope="module")
def batch() -> dict:
    return draw_batch(SOURCES)


@pytest.fixture(scope="module")
def adapter(params) -> dict:
    """After some steps."""
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda x: np.float32(x + 0.1 * rng.normal(size=x.shape)), new_adapter(params, RANK_2, 0))


def gradient(config, trained, start, learns, batch, *, adapter=None, mesh=None, micro_batches=1) -> tuple:
    """Gradients of what is trained, and metrics."""
    mesh = mesh or make_mesh(jax.devices()[:1])
    state = new_state(jax.tree.map(jnp.asarray, trained), KEEP_GRADIENTS)
    shardings = state_shardings(mesh, state)
    loss = LossSpec(micro_batches=micro_batches)
    step = make_step(SOURCES, Towers(config, PREPROCESS), KEEP_GRADIENTS, learns, adapter=adapter, mesh=mesh, loss=loss)
    placed = jax.device_put(jax.device_get(state), shardings), put_batch(mesh, batch)
    start = jax.device_put(start, state_shardings(mesh, start))
    state, metrics = jax.jit(step, out_shardings=(shardings, None))(*placed, start)
    return jax.device_get((state["opt_state"].trace, metrics))


@pytest.fixture(scope="module")
def of_adapter(config, params, adapter, batch):
    return gradient(config, adapter, params, adapted(params, RANK_2), batch, adapter=make_adapter("lora", RANK_2))


def test_the_gradient_is_that_of_the_weights_by_the_chain_rule(config, params, adapter, batch, of_adapter):
    """By A it is dW B^T, by B it is A^T dW, times alpha / rank."""
    folded = jax.device_get(fold(params, adapter, RANK_2))
    whole, metrics = gradient(config, folded, params, trainable(params, ()), batch)
    by_weights, by_adapter = flatten_params(whole), flatten_params(of_adapter[0])
    for path, factor in flatten_params(adapter).items():
        kernel, _, name = path.rpartition("/")
        other = flatten_params(adapter)[f"{kernel}/{'b' if name == 'a' else 'a'}"]
        weight = by_weights[kernel]
        if weight.ndim == 2:
            wanted = weight @ other.T if name == "a" else other.T @ weight
        else:
            product = "iko,kro->ikr" if name == "a" else "ikr,iko->kro"
            wanted = np.einsum(product, *((weight, other) if name == "a" else (other, weight)))
        assert by_adapter[path].shape == factor.shape
        np.testing.assert_allclose(by_adapter[path], 3 * wanted, atol=1e-5 * np.abs(3 * wanted).max(), err_msg=path)
    assert metrics["loss"] == pytest.approx(of_adapter[1]["loss"], rel=1e-6)
    norm = np.sqrt(sum((x**2).sum() for x in by_adapter.values()))
    assert of_adapter[1]["gradient_norm"] == pytest.approx(norm, rel=1e-5)
    assert of_adapter[1]["logit_scale"] == pytest.approx(np.exp(params["logit_scale"]), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "micro_batches"), [({"fsdp": 2, "tensor": 2}, 1), ({"fsdp": 4, "tensor": 2}, 2)])
def test_on_any_mesh_and_in_parts(config, params, adapter, batch, of_adapter, sizes, micro_batches):
    how = {"adapter": make_adapter("lora", RANK_2), "mesh": make_mesh(**sizes), "micro_batches": micro_batches}
    found = gradient(config, adapter, params, adapted(params, RANK_2), batch, **how)
    assert_close(found[0], of_adapter[0], 3e-5)
    assert found[1]["loss"] == pytest.approx(of_adapter[1]["loss"], rel=1e-5)


@pytest.fixture(scope="module")
def base(mini, tmp_path_factory) -> Path:
    """The weights that are adapted, as a checkpoint."""
    folder = tmp_path_factory.mktemp("weights") / "base"
    write_negjax(dataclasses.replace(mini, params=init_params(mini.config, 3)), folder)
    return folder


@pytest.fixture(scope="module")
def experiment(scenes, base) -> Experiment:
    return Experiment(
        ModelSpec(init_from=str(base)),
        {"asked": Source("scenes_negmcq", 8, mcq=1.0)},
        str(scenes),
        steps=4,
        optim=Optim(learning_rate=1e-2, ema=0.5),
        lora=LoRA(rank=2),
        log_every=1,
        checkpoint_every=2,
    )


@pytest.fixture(scope="module")
def run(experiment, base, tmp_path_factory):
    """A workdir, and the model that the run returned."""
    workdir = tmp_path_factory.mktemp("run")
    return workdir, train(prepare_run(experiment, read_model(base)), workdir)


def test_only_chosen_matrices_change_and_the_workdir_is_read_as_any_other(run, base):
    workdir, model = run
    found, start, returned = (flatten_params(x.params) for x in (read_model(workdir), read_model(base), model))
    for path, leaf in found.items():
        np.testing.assert_array_equal(leaf, returned[path])
        is_adapted = path.startswith("text/transformer/") and path.endswith("/kernel")
        assert np.any(np.asarray(leaf) != start[path]) == is_adapted, path
    average = flatten_params(read_model(workdir, ema=True).params)
    assert any(np.any(average[path] != found[path]) for path in found)


def test_a_checkpoint_holds_the_adapter_and_its_moments_alone(run, mini):
    adapter = jax.eval_shape(lambda params: new_adapter(params, LoRA(rank=2), 0), mini.params)
    numbers, arrays = sum(leaf.size for leaf in jax.tree.leaves(adapter)), 0
    for item in ("params", "training"):
        tree = ocp.PyTreeCheckpointHandler().metadata(run[0] / "checkpoints" / "4" / item).tree
        arrays += sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))
    assert 4 * numbers <= arrays < 4 * numbers + 10  # the adapter, two moments, its average; counts


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_to_the_same_adapter(experiment, base, run, tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(prepare_run(experiment, read_model(base)), tmp_path, lambda model: 1 / 0)
    train(prepare_run(experiment, read_model(base)), tmp_path)
    for one, other in zip(jax.tree.leaves(read_model(tmp_path).params), jax.tree.leaves(run[1].params), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_base_that_is_elsewhere_or_another(run, base, tmp_path, capsys):
    workdir, _ = run
    moved, other = tmp_path / "moved", tmp_path / "other"
    shutil.copytree(base, moved)
    model = read_model(base)
    write_negjax(dataclasses.replace(model, params=init_params(model.config, 4)), other)
    hidden = base.rename(base.with_name("hidden"))
    try:
        with pytest.raises(NegjaxError, match=r"4 holds an adapter, and its base '.*base' is not here: run this where"):
            read_model(workdir)
        assert main(["convert", str(workdir), str(tmp_path / "out"), "--base", str(moved)]) == 0
    finally:
        hidden.rename(base)
    for one, two in zip(jax.tree.leaves(read_model(tmp_path / "out").params), jax.tree.leaves(run[1].params)):
        np.testing.assert_array_equal(one, two)
    assert main(["convert", str(workdir), str(tmp_path / "wrong"), "--base", str(other)]) == 2
    assert "holds an adapter of other weights than those of" in capsys.readouterr().err
    assert main(["convert", str(base), str(tmp_path / "wrong"), "--base", str(other)]) == 2
    assert "is not an adapter, and only those have a base: omit --base" in capsys.readouterr().err
    assert not (tmp_path / "wrong").exists()


def test_no_rank_is_no_adapter(experiment, base):
    """The same arrays are trained, by the same step."""
    plain, none = (
        prepare_run(dataclasses.replace(experiment, lora=lora), read_model(base)).program
        for lora in (LoRA(), LoRA(rank=0, alpha=3, matrices=("no such path",)))
    )
    assert jax.tree.structure(plain.state) == jax.tree.structure(none.state)
    assert plain.learns == none.learns
    assert not none.needs_start
