"""Model operations of a step, written out by hand from the shapes of its batch."""

import jax
import numpy as np
import pytest

from negjax.config import Source
from negjax.models.clip import abstract_params
from negjax.models.flops import image_flops, text_flops
from negjax.models.presets import preset
from negjax.training.flops import step_flops
from negjax.training.optimizer import trainable

CONFIG = preset("tiny")
IMAGE, SHORT, LONG = image_flops(CONFIG), text_flops(CONFIG, 12), text_flops(CONFIG, 20)


def shapes(rows: int, **texts: tuple[int, ...]) -> dict:
    image = jax.ShapeDtypeStruct((rows, CONFIG.vision.image_size, CONFIG.vision.image_size, 3), np.uint8)
    return {"image": image} | {name: jax.ShapeDtypeStruct(shape, np.int32) for name, shape in texts.items()}


def flops(sources: dict[str, Source], batches: dict, *frozen: str, again: int = 0, lengths=None) -> float:
    return step_flops(CONFIG, batches, sources, trainable(abstract_params(CONFIG), frozen), again, lengths)


def test_images_captions_and_options_forward_and_backward():
    """Of 8 images groups of two share their four options; a tower that does not learn has no backward pass."""
    sources = {"a": Source("x", 8, contrastive=1.0, mcq=1.0), "b": Source("y", 4, sigmoid=1.0)}
    batches = {"a": shapes(8, text=(8, 12), options=(4, 4, 20), answer=(8,)), "b": shapes(4, text=(4, 20))}
    text = 8 * SHORT + 4 * 4 * LONG + 4 * LONG
    assert flops(sources, batches) == 3 * (12 * IMAGE + text)
    assert flops(sources, batches, "visual/.*") == 12 * IMAGE + 3 * text
    assert flops(sources, batches, "visual/.*", "text/.*") == 12 * IMAGE + text
    assert flops(sources, batches, "visual/.*", again=2) == 12 * IMAGE + 5 * text


def test_padding_does_not_count():
    """Lengths of half of the captions, as one of two processes knows them, stand for all."""
    sources, batches = {"a": Source("x", 4, contrastive=1.0)}, {"a": shapes(4, text=(4, 20))}
    lengths = {("a", "text"): np.array([7, 19])}
    expected = 3 * (4 * IMAGE + 2 * text_flops(CONFIG, 7) + 2 * text_flops(CONFIG, 19))
    assert flops(sources, batches, lengths=lengths) == expected


@pytest.mark.parametrize(("frozen", "learning"), [((), (1, 1)), (("visual/.*",), (0, 1))])
def test_hard_negatives_and_the_teacher(frozen, learning):
    """The teacher's captions and images are encoded once more, by towers that differ from the student's."""
    sources = {"a": Source("x", 8, contrastive=1.0, hard_negatives=2), "b": Source("y", 4, distill=1.0)}
    batches = {"a": shapes(8, text=(8, 20), negative_text=(16, 20)), "b": shapes(4, text=(4, 12))}
    image, text = ((1 + 2 * each) for each in learning)
    student = image * 12 * IMAGE + text * (8 * LONG + 16 * LONG + 4 * SHORT)
    teacher = learning[0] * 4 * IMAGE + learning[1] * 4 * SHORT
    assert flops(sources, batches, *frozen) == student + teacher
