"""Drawn examples for measurements: pictures of noise, and captions as long as real ones. No JAX.

What a step costs depends on how long captions are, not on what they say. The lengths below, in tokens with start and
end, are those of COCO's captions, of NegBench's negated captions of them, and of the options of its questions.
"""

import io
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from PIL import Image

from negjax.datasets.records import Record
from negjax.datasets.stored.store import write_set

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 1.0)  # of captions that are at most as long as
CAPTION_LENGTHS = (9, 11, 12, 13, 15, 17, 18, 21, 28)
NEGATED_LENGTHS = (16, 18, 20, 22, 24, 27, 28, 31, 40)
OPTION_LENGTHS = (5, 8, 10, 11, 14, 15, 16, 17, 20)
# Each is one token.
_WORDS = """
a the man woman dog cat bus street table red white large small black young old sitting standing holding riding eating
near with on in of under beside next to train plane horse kite pizza cake chair bench bottle cup clock light sign water
snow beach park kitchen room window door grass field tree sky ball player people group couple girl boy bird boat bike
car truck no not without
"""
WORDS = _WORDS.split()
CAPTIONS, OPTIONS = 5, 4  # of an image, and of a question
PICTURE_SIZE = (640, 480)  # COCO's usual one
MOST_PICTURES = 64  # of a training set, whose rows share them


def draw_captions(count: int, lengths: Sequence[int], rng: np.random.Generator) -> list[str]:
    """Captions whose lengths are spread evenly over a distribution, so that any number of them is typical.

    Args:
        count: number of captions.
        lengths: tokens at each of SHARES.
        rng: draws words and order.
    """
    tokens = np.interp((np.arange(count) + 0.5) / count, SHARES, lengths).round().astype(int)
    return [" ".join(rng.choice(WORDS, length - 2)) for length in rng.permutation(tokens)]


def draw_picture(rng: np.random.Generator) -> bytes:
    """A JPEG of noise, coarse and fine: about as large as a photograph of its size."""
    pixels = np.full((*PICTURE_SIZE[::-1], 3), 128.0)
    for side, strength in ((6, 50), (40, 25), (160, 15)):
        noise = rng.normal(128, 40, (side, side, 3)).clip(0, 255).astype(np.uint8)
        pixels += (np.asarray(Image.fromarray(noise).resize(PICTURE_SIZE, Image.Resampling.BICUBIC)) - 128.0) * (
            strength / 40
        )
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def draw_training_rows(count: int, captions: int, rng: np.random.Generator) -> Iterator[Record]:
    """Rows with captions, negated captions and a question.

    Args:
        count: number of rows.
        captions: captions, and negated captions, of a row.
        rng: draws everything.
    """
    pictures = [draw_picture(rng) for _ in range(min(count, MOST_PICTURES))]
    affirmed = draw_captions(count * captions, CAPTION_LENGTHS, rng)
    negated = draw_captions(count * captions, NEGATED_LENGTHS, rng)
    options = draw_captions(count * OPTIONS, OPTION_LENGTHS, rng)
    for row in range(count):
        yield {
            "media": pictures[row % len(pictures)],
            "captions": affirmed[row * captions : (row + 1) * captions],
            "negated_captions": negated[row * captions : (row + 1) * captions],
            "options": options[row * OPTIONS : (row + 1) * OPTIONS],
            "answer": int(rng.integers(OPTIONS)),
        }


def write_training_set(data_dir: str, name: str, rows: Sequence[Record]) -> None:
    """Writes rows of `draw_training_rows`."""
    fields = ["captions", "negated_captions", "question"]
    write_set(data_dir, name, lambda: iter(rows), fields, {"task_kind": "train", "negated": True})


def write_tasks(data_dir: str, names: Sequence[str], images: int, seed: int) -> None:
    """Writes the sets of three tasks on the same pictures: retrieval, negated retrieval, questions.

    Args:
        data_dir: the folder of sets.
        names: of the three sets.
        images: number of pictures.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 1])
    pictures = [draw_picture(rng) for _ in range(images)]
    retrieval, negated_retrieval, questions = names
    for name, lengths in ((retrieval, CAPTION_LENGTHS), (negated_retrieval, NEGATED_LENGTHS)):
        texts = draw_captions(images * CAPTIONS, lengths, rng)
        rows = [{"media": picture, "captions": texts[i::images]} for i, picture in enumerate(pictures)]
        metadata = {"task_kind": "retrieval", "negated": lengths is NEGATED_LENGTHS}
        write_set(data_dir, name, partial(iter, rows), ["captions"], metadata)
    texts = draw_captions(images * OPTIONS, OPTION_LENGTHS, rng)
    asked: list[Record] = [
        {"media": picture, "options": texts[i::images], "answer": i % OPTIONS} for i, picture in enumerate(pictures)
    ]
    write_set(data_dir, questions, partial(iter, asked), ["question"], {"task_kind": "mcq", "negated": True})
