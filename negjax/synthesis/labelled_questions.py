"""Questions about labelled images: NegBench's multiple choice, and whether an object is in the image.

NegBench's construction is in arXiv 2501.09425, section 3.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from negjax.language.phrases import with_article
from negjax.synthesis.labels import ObjectLabels
from negjax.synthesis.questions import MCQ_KINDS, NEGBENCH_WORDING, OptionWording, Question, build_mcq

MAX_PARTNER_DRAWS = 100  # images that are tried as the partner of another
# Sentences of the analysis of affirmation bias; {a} and {b} are object names with their articles. Presence questions
# use the first two.
AFFIRMATION_BIAS_TEMPLATES = {
    "affirmation": "This image includes {a}",
    "negation": "This image does not include {a}",
    "both": "This image includes {a} but does not include {b}",
    "double negation": "It is not true that this image does not include {a}",
}


def select_mcq_images(labels: ObjectLabels) -> list[int]:
    """Select the images that NegBench's questions fit: those with two objects or more, and one that is absent."""
    enough_I = (labels.present_IN.sum(1) >= 2) & labels.absent_IN.any(1)
    return np.flatnonzero(enough_I).tolist()


def build_mcq_questions(
    labels: ObjectLabels,
    count: int,
    reuse: int,
    rng: np.random.Generator,
    *,
    kinds: Sequence[str] = MCQ_KINDS,
    wording: OptionWording = NEGBENCH_WORDING,
) -> Iterator[tuple[int, Question]]:
    """Build NegBench questions, by default in its own templates, with the kinds in turn.

    A and B are drawn from the objects of the image, and N by how often it occurs beside them, as NegBench chooses the
    object that a model would expect. Each image gets a question before any gets a second one; which images get one
    question more than others is drawn.

    Args:
        labels: the labels of the images.
        count: the largest number of questions.
        reuse: the largest number of questions about one image.
        rng: draws images, objects and the order of options.
        kinds: of the questions.
        wording: puts options into words.

    Yields:
        The row of an image and a question about it, in the order of the images.
    """
    images = select_mcq_images(labels)
    rounds = [image for _ in range(reuse) for image in rng.permutation(images)]
    for number, image in enumerate(sorted(rounds[:count])):
        objects = labels.objects_in(image)
        first, second = (objects[i] for i in rng.permutation(len(objects))[:2])
        (absent,) = labels.draw_likely_absent(image, 1, rng)
        kind = kinds[number % len(kinds)]
        yield int(image), build_mcq(kind, (first, second), absent, wording, rng)


def build_presence_questions(
    labels: ObjectLabels, count: int, rng: np.random.Generator
) -> Iterator[tuple[int, Question, int]]:
    """Build questions with two options, one that affirms an object and one that negates it.

    Images are paired such that each holds an object that its partner lacks, and questions about both objects are put
    to both images, with the options in the same order. So each option is right in one of two questions, and a model
    that sees only the options gets exactly half.

    Args:
        labels: the labels of the images.
        count: the largest number of pairs, each with four questions.
        rng: draws pairs, objects and the order of options.

    Yields:
        The row of an image, a question about it, and the number of the pair.
    """
    pairs = _pair_differing_images(labels, rng)
    for number, (image, partner, image_object, partner_object) in enumerate(pairs[:count]):
        for n, holder, other in ((image_object, image, partner), (partner_object, partner, image)):
            kinds = ("affirmation", "negation")
            kinds = kinds if rng.integers(2) else kinds[::-1]
            options = tuple(AFFIRMATION_BIAS_TEMPLATES[kind].format(a=with_article(labels.names[n])) for kind in kinds)
            yield holder, Question(options, kinds.index("affirmation"), "present", kinds), number
            yield other, Question(options, kinds.index("negation"), "absent", kinds), number


def _pair_differing_images(labels: ObjectLabels, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Pair images, each used once: (image, partner, object of the image alone, object of the partner alone).

    Images with few objects are paired first, because they have the fewest possible partners.
    """
    order = rng.permutation(np.flatnonzero(labels.present_IN.any(1)))
    unpaired = order[np.argsort(labels.present_IN[order].sum(1), kind="stable")].tolist()
    pairs = []
    while len(unpaired) > 1:
        image = unpaired.pop(0)
        for index in rng.integers(len(unpaired), size=MAX_PARTNER_DRAWS):
            partner = unpaired[index]
            image_only = np.flatnonzero(labels.present_IN[image] & labels.absent_IN[partner])
            partner_only = np.flatnonzero(labels.present_IN[partner] & labels.absent_IN[image])
            if len(image_only) and len(partner_only):
                pairs.append((image, partner, int(rng.choice(image_only)), int(rng.choice(partner_only))))
                del unpaired[index]
                break
    return [pairs[i] for i in rng.permutation(len(pairs))]
