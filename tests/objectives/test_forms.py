"""The chunked and the sharded losses against the plain ones and NumPy; what they keep in memory, and what they send."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from negjax.objectives.contrastive import contrastive_loss
from negjax.objectives.sigmoid import sigmoid_loss

B, N, E = 48, 24, 8  # pairs, hard negatives, width
FORMS = (
    {"chunk": 5},  # which leaves a rest
    {"chunk": 64},  # larger than the batch
    {"mesh": "cube"},
    {"mesh": "cube", "chunk": 5},
    {"mesh": "line"},
)
LOSSES = {
    "contrastive": (lambda i, t, n, s, b, **form: contrastive_loss(i, t, s, **form)),
    "hard negatives": (lambda i, t, n, s, b, **form: contrastive_loss(i, t, s, negative_text_NE=n, **form)),
    "sigmoid": (lambda i, t, n, s, b, **form: sigmoid_loss(i, t, s, b, **form)),
}


@pytest.fixture(scope="module")
def meshes():
    return {
        "cube": jax.make_mesh((2, 2, 2), ("data", "fsdp", "tensor"), axis_types=(AxisType.Auto,) * 3),
        "line": jax.make_mesh((8, 1, 1), ("data", "fsdp", "tensor"), axis_types=(AxisType.Auto,) * 3),
    }


@pytest.fixture(scope="module")
def arguments():
    """Images, captions, hard negatives, logit scale, logit bias."""
    rng = np.random.default_rng(0)
    image_BE, text_BE, negative_NE = (np.float32(rng.normal(size=(rows, E))) for rows in (B, B, N))
    return image_BE, text_BE, negative_NE, np.float32(7.0), np.float32(-2.0)


@pytest.fixture(scope="module")
def compiled(meshes, arguments):
    """Of a loss and its form: the value and gradient with respect to everything, compiled once."""
    done = {}

    def find(loss: str, form: dict):
        key = loss, *form.items()
        if key not in done:
            how = form | {"mesh": meshes[form["mesh"]]} if "mesh" in form else form

            def wanted(*arguments):
                return LOSSES[loss](*arguments, **how)

            step = jax.jit(jax.value_and_grad(wanted, argnums=range(5), has_aux=True))
            done[key] = step.lower(*place(arguments, meshes, form)).compile()
        return done[key]

    return find


def place(arguments, meshes, form: dict) -> list:
    """The arguments where the form wants them: rows over "data" and "fsdp"."""
    if "mesh" not in form:
        return list(arguments)
    mesh = meshes[form["mesh"]]
    rows = PartitionSpec(tuple(axis for axis in ("data", "fsdp") if axis in mesh.axis_names))
    return [jax.device_put(x, NamedSharding(mesh, rows if np.ndim(x) else PartitionSpec())) for x in arguments]


@pytest.fixture(scope="module")
def plain(compiled, arguments):
    return {loss: jax.device_get(compiled(loss, {})(*arguments)) for loss in LOSSES}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_gives_the_same_value_and_gradient(loss, form, compiled, meshes, arguments, plain):
    found = jax.device_get(compiled(loss, form)(*place(arguments, meshes, form)))
    assert jax.tree.structure(found) == jax.tree.structure(plain[loss])
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(plain[loss])):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * np.abs(other).max())


def test_hard_negatives_equal_numpy(arguments, plain):
    image_BE, text_BE, negative_NE, scale, _ = (np.float64(x) for x in arguments)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image_BE, text_BE, negative_NE)]
    total = 0.0
    for i in range(B):
        captions = [scale * unit[0][i] @ text for text in (*unit[1], *unit[2])]
        images = [scale * image @ unit[1][i] for image in unit[0]]  # never asked about the hard negatives
        for logits in (captions, images):
            total += 0.5 * (np.log(np.sum(np.exp(logits))) - logits[i])
    (loss, _), _ = plain["hard negatives"]
    assert loss == pytest.approx(total / B, rel=1e-5)
    assert loss > plain["contrastive"][0][0] + 0.1


@pytest.mark.parametrize("form", [{}, *FORMS], ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_an_image_that_ties_with_the_best_is_first(loss, form, compiled, meshes, arguments):
    """On embeddings whose cosines are exactly 0 or 1."""
    rng = np.random.default_rng(1)
    image_kind, text_kind = rng.integers(E - 1, size=B), rng.integers(E, size=B)  # no image is of the last kind
    first = (image_kind == text_kind) | (text_kind == E - 1)
    eye = np.eye(E, dtype=np.float32)
    rows = eye[image_kind], eye[text_kind], *arguments[2:]
    (_, extra), _ = compiled(loss, form)(*place(rows, meshes, form))
    assert 0.1 < first.mean() < 0.9
    assert extra["accuracy"] == pytest.approx(first.mean())


@pytest.mark.parametrize("form", [form for form in FORMS if "mesh" in form], ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_sharded_loss_sends(loss, form, compiled):
    text = compiled(loss, form).as_text()
    kinds = ("all-gather", "reduce-scatter", "collective-permute", "all-to-all")
    sent = {kind: len(re.findall(rf"\s{kind}(?:-start)?\(", text)) for kind in kinds}
    if loss == "sigmoid":  # the images and their gradients, within the loop over hops
        assert sent == {"all-gather": 0, "reduce-scatter": 0, "collective-permute": 2, "all-to-all": 0}
    else:
        assert sent == {"all-gather": 2, "reduce-scatter": 2, "collective-permute": 0, "all-to-all": 0}


def memory(loss: str, rows: int, width: int, **form) -> int:
    """Bytes that the value and gradient need on a device, beside the embeddings they are of."""
    embeddings, scalar = jax.ShapeDtypeStruct((rows, width), jnp.float32), jax.ShapeDtypeStruct((), jnp.float32)
    places = {}
    if "mesh" in form:
        over, whole = (NamedSharding(form["mesh"], spec) for spec in (PartitionSpec("data"), PartitionSpec()))
        places = {"in_shardings": (over, over, whole, whole)}

    def wanted(image_BE, text_BE, scale, bias):
        return LOSSES[loss](image_BE, text_BE, None, scale, bias, **form)[0]

    step = jax.jit(jax.value_and_grad(wanted, argnums=range(4)), **places)
    found = step.lower(embeddings, embeddings, scalar, scalar).compile().memory_analysis()
    return found.temp_size_in_bytes + found.output_size_in_bytes


@pytest.mark.parametrize("loss", ["contrastive", "sigmoid"])
@pytest.mark.parametrize("width", [512, 1024])
def test_32768_pairs_on_one_device_need_less_than_a_gigabyte(loss, width):
    assert memory(loss, 32768, width, chunk=512) < 1e9 < memory(loss, 32768, width)


def test_a_ring_never_holds_more_than_its_own_rows_of_both(meshes):
    b = 1024
    ring, gathered = (memory(loss, 8 * b, 256, mesh=meshes["line"]) for loss in ("sigmoid", "contrastive"))
    assert ring < 8 * b * b * 4 < gathered
    assert memory("sigmoid", 8 * b, 256, mesh=meshes["line"], chunk=128) < ring - 0.9 * b * b * 4
