"""Questions about labelled images: NegBench's multiple choice, and whether an object is there or not."""

from collections.abc import Iterator

import numpy as np

from negjax.language.phrases import a
from negjax.synthesis.labels import Labels
from negjax.synthesis.questions import MCQ_KINDS, NEGBENCH, Question, mcq

TRIES = 100  # images that are looked at to find one to go with another
# Sentences of the analysis of affirmation bias; {a} and {b} stand for objects with their articles. The question
# whether an object is there is asked with the first two.
BIAS_TEMPLATES = {
    "affirmation": "This image includes {a}",
    "negation": "This image does not include {a}",
    "both": "This image includes {a} but does not include {b}",
    "double negation": "It is not true that this image does not include {a}",
}


def mcq_images(labels: Labels) -> list[int]:
    """The images that NegBench's questions can be asked about: two objects there, and one that is not."""
    enough = (labels.holds_IN.sum(1) >= 2) & labels.absent_IN.any(1)
    return np.flatnonzero(enough).tolist()


def mcq_questions(labels: Labels, count: int, reuse: int, rng: np.random.Generator) -> Iterator[tuple[int, Question]]:
    """Up to `count` questions in NegBench's templates, their kinds in turn: (image, question), images in their order.

    A and B are drawn from the objects of the image, and N by how often it is found beside them (as NegBench chooses
    it: what a model would expect there). No image is asked about again before all others are, or more than `reuse`
    times; which ones are asked once more than others is drawn.
    """
    images = mcq_images(labels)
    rounds = [image for _ in range(reuse) for image in rng.permutation(images)]
    for number, image in enumerate(sorted(rounds[:count])):
        objects = labels.objects(image)
        first, second = (objects[i] for i in rng.permutation(len(objects))[:2])
        (absent,) = labels.likely_absent(image, 1, rng)
        yield int(image), mcq(MCQ_KINDS[number % len(MCQ_KINDS)], (first, second), absent, NEGBENCH, rng)


def presence_questions(labels: Labels, count: int, rng: np.random.Generator) -> Iterator[tuple[int, Question, int]]:
    """Whether an object is there: two options, affirmed and negated. Up to `count` pairs of images with 4 questions.

    Images are put in pairs such that each holds an object that the other has not, and both are asked about both:
    (image, question, number of the pair). The options of an object come in the same order for both images. So each
    option is right in one question of two, and who sees the options alone gets exactly half.
    """
    pairs = _pairs_that_differ(labels, rng)
    for number, (one, other, here, there) in enumerate(pairs[:count]):
        for thing, present, absent in ((here, one, other), (there, other, one)):
            kinds = ("affirmation", "negation")
            kinds = kinds if rng.integers(2) else kinds[::-1]
            options = tuple(BIAS_TEMPLATES[kind].format(a=a(labels.names[thing])) for kind in kinds)
            yield present, Question(options, kinds.index("affirmation"), "present", kinds), number
            yield absent, Question(options, kinds.index("negation"), "absent", kinds), number


def _pairs_that_differ(labels: Labels, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Pairs of images, each image once, and for each an object that it holds and the other has not.

    Images of one object come first, for they are the hardest to find another image for.
    """
    order = rng.permutation(np.flatnonzero(labels.holds_IN.any(1)))
    waiting = order[np.argsort(labels.holds_IN[order].sum(1), kind="stable")].tolist()
    pairs = []
    while len(waiting) > 1:
        one = waiting.pop(0)
        for place in rng.integers(len(waiting), size=TRIES):
            other = waiting[place]
            here = np.flatnonzero(labels.holds_IN[one] & labels.absent_IN[other])
            there = np.flatnonzero(labels.holds_IN[other] & labels.absent_IN[one])
            if len(here) and len(there):
                pairs.append((one, other, int(rng.choice(here)), int(rng.choice(there))))
                del waiting[place]
                break
    return [pairs[i] for i in rng.permutation(len(pairs))]
