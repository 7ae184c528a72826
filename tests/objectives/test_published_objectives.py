"""The objectives of published methods against loops in float64 NumPy: value, gradient, and on eight devices."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.objectives.objective import LossForm, LossInputs
from negjax.objectives.table import objective
from negjax.runtime.mesh import make_mesh, put_batch

B, G, M, E = 16, 8, 4, 5  # rows, groups of two rows that share their options, options, width
SCALE, BIAS = 7.0, -2.0


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    """Embeddings near each other, so that no softmax is saturated and both sides of every margin occur."""
    rng = np.random.default_rng(3)
    shapes = dict.fromkeys(("image", "text", "negated_text", "hybrid_text", "denial_text"), (B, E))
    shapes |= {"options": (G, M, E), "teacher_options": (G, M, E)}
    arrays = {name: rng.normal(size=shape) + 0.8 for name, shape in shapes.items()}
    return arrays | {"answer": np.array([rng.permutation(M)[:2] for _ in range(G)]).ravel()}


def cosine(x, y) -> float:
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def cross_entropy(logits, right: int) -> float:
    return float(np.log(sum(np.exp(z) for z in logits)) - logits[right])


def question(rows, i: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The right option of a row, and the wrong ones."""
    options, right = rows["options"][i // (B // G)], rows["answer"][i]
    return options[right], [option for number, option in enumerate(options) if number != right]


def conclip(rows) -> float:
    image, distractor = rows["image"][0::2], rows["image"][1::2]
    right = [question(rows, i)[0] for i in range(B)]
    caption, wrong = right[0::2], right[1::2]
    half, total = B // 2, 0.0
    for i in range(half):
        total += cross_entropy([SCALE * cosine(image[i], t) for t in (*caption, *wrong)], i)
        total += cross_entropy([SCALE * cosine(caption[i], x) for x in (*image, *distractor)], i)
        total += cross_entropy([SCALE * cosine(distractor[i], t) for t in (*wrong, *caption)], i)
    return total / (3 * half)


def focal(rows) -> float:
    total = 0.0
    for i in range(B):
        right, wrong = question(rows, i)
        powers = [np.exp(SCALE * cosine(rows["image"][i], t)) for t in (right, *wrong)]
        p = [x / sum(powers) for x in powers]
        target = [0.98] + [0.02 / 3] * 3
        total -= sum(y * (1 - q) ** 2 * np.log(q) for y, q in zip(target, p))
    return total / B


def bounded(rows, image=None) -> float:
    image, total = rows["image"] if image is None else image, 0.0
    for i in range(B):
        right, wrong = question(rows, i)
        near = cosine(right, image[i])
        for text in wrong:
            total += max(0, 0.1 + cosine(text, image[i]) - near) + max(0, near - cosine(text, image[i]) - 0.6)
            total += max(0, 0.1 + cosine(text, right) - near) + max(0, near - cosine(text, right) - 0.3)
    return total / (B * (M - 1))


def text_contrast(rows) -> float:
    total = 0.0
    for i in range(B):
        right, wrong = question(rows, i)
        teacher = rows["teacher_options"][i // (B // G)][rows["answer"][i]]
        total += cross_entropy([10 * cosine(right, t) for t in (teacher, *wrong)], 0)
    return total / B


def absence(rows) -> float:
    image, text, negated = (rows[name] for name in ("image", "text", "negated_text"))
    total = 0.0
    for i in range(B):
        total += 0.5 * cross_entropy([SCALE * cosine(image[i], t) for t in negated], i)
        total += 0.5 * cross_entropy([SCALE * cosine(x, negated[i]) for x in image], i)
        total += max(0, cosine(text[i], negated[i]) + 0.9)
    return total / B


def image_choice(rows) -> float:
    size, total = B // G, 0.0
    for i in range(B):
        right, group = question(rows, i)[0], range(i - i % size, i - i % size + size)
        others = [j for j in group if rows["answer"][j] != rows["answer"][i]]
        total += cross_entropy([SCALE * cosine(right, rows["image"][j]) for j in (i, *others)], 0)
    return total / B


def sigmoid_mcq(rows) -> float:
    total = 0.0
    for i in range(B):
        right, wrong = question(rows, i)
        logits = [SCALE * cosine(rows["image"][i], t) + BIAS for t in (right, *wrong)]
        total += np.log1p(np.exp(-logits[0])) + sum(np.log1p(np.exp(z)) for z in logits[1:])
    return total / B


def tng(rows) -> float:
    """An image's text is any of all: the mean over them is what drawing one gives on average."""
    texts = [text for name in ("text", "hybrid_text", "denial_text") for text in rows[name]]
    total = 0.0
    for number, text in enumerate(texts):
        total += 0.5 * cross_entropy([cosine(text, x) / 0.07 for x in rows["image"]], number % B) / len(texts)
    for x in rows["image"]:
        logits = [cosine(text, x) / 0.07 for text in texts]
        total += 0.5 * np.mean([cross_entropy(logits, drawn) for drawn in range(len(texts))]) / B
    return total


NUMPY: dict[str, Callable] = {
    each.__name__: each for each in (conclip, focal, bounded, text_contrast, absence, image_choice, sigmoid_mcq, tng)
}
FIRST_GROUP = [
    (0, 0, [0, 1, 2]),
    (1, 1, [0, 1, 2, 3]),
    (2, 2, [0, 1, 2, 3]),
    (3, 0, [1, 2, 3]),
]  # image, answer, its images
CONSTANT = {"bounded": "image", "text_contrast": "teacher_options"}  # inputs that get no gradient


def value_and_gradient(name: str, rows, form: LossForm = LossForm()):
    """Value and gradient by embeddings, computed where the rows lie."""
    arrays = {key: rows[key] for key in objective(name).inputs}
    fixed = {key: arrays.pop(key) for key in ("answer",) if key in arrays}

    def loss(arrays):
        return objective(name).loss(LossInputs(arrays | fixed, jnp.array(SCALE), jnp.array(BIAS), form))[0]

    return jax.device_get(jax.jit(jax.value_and_grad(loss))(arrays))


def single(rows) -> dict[str, np.ndarray]:
    return {key: np.float32(x) if x.dtype.kind == "f" else x.astype(np.int32) for key, x in rows.items()}


@pytest.mark.parametrize("name", NUMPY)
def test_value_and_gradient_are_numpys(name, rows):
    loss, grads = value_and_gradient(name, single(rows))
    assert loss == pytest.approx(NUMPY[name](rows), rel=1e-5)
    rng = np.random.default_rng(5)
    for key, grad in grads.items():
        if CONSTANT.get(name) == key:
            assert not grad.any()
            continue
        for _ in range(4):
            direction = rng.normal(size=grad.shape)
            ends = [NUMPY[name](rows | {key: rows[key] + sign * 1e-6 * direction}) for sign in (1, -1)]
            error = np.sum(grad * direction) - (ends[0] - ends[1]) / 2e-6
            assert abs(error) < 1e-5 * np.linalg.norm(grad) * np.linalg.norm(direction), key


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("name", NUMPY)
def test_eight_devices_give_value_and_gradient_of_one(name, rows, sharded):
    mesh = make_mesh()
    alone = value_and_gradient(name, single(rows))
    many = value_and_gradient(name, put_batch(mesh, single(rows)), LossForm(mesh if sharded else None))
    for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(many)):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_images_with_the_same_answer_are_no_negatives_of_each_other(rows):
    rows = rows | {"answer": np.tile([0, 1, 2, 0], B // 4).astype(np.int64)}
    rows["options"] = rows["options"][::2]  # groups of four
    alone = value_and_gradient("image_choice", single(rows | {"answer": np.zeros(B, int)}))
    assert not any(leaf.any() for leaf in jax.tree.leaves(alone))
    logits = SCALE * np.array([[cosine(o, x) for x in rows["image"][:4]] for o in rows["options"][0]])
    first = [np.log(np.exp(logits[a, others]).sum()) - logits[a, i] for i, a, others in FIRST_GROUP]
    part = value_and_gradient("image_choice", single({k: x[: 4 if k != "options" else 1] for k, x in rows.items()}))[0]
    assert part == pytest.approx(np.mean(first), rel=1e-5)


def test_focal_without_focus_and_smoothing_is_the_multiple_choice_loss(rows):
    from negjax.objectives.focal import focal_loss
    from negjax.objectives.mcq import mcq_loss

    image, options = jnp.array(rows["image"][:G]), jnp.array(rows["options"])
    plain = mcq_loss(image, options, jnp.zeros(G, int), jnp.array(SCALE))[0]
    assert focal_loss(image, options, jnp.array(SCALE), gamma=0, smoothing=0)[0] == pytest.approx(
        float(plain), rel=1e-6
    )


def test_a_certain_answer_has_a_finite_gradient():
    from negjax.objectives.focal import focal_loss

    image = jnp.eye(2)
    options = jnp.stack([image, -image], axis=1)
    loss, grad = jax.value_and_grad(lambda x: focal_loss(x, options, jnp.array(100.0))[0])(image)
    assert np.isfinite(loss)
    assert np.isfinite(grad).all()
