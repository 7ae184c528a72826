"""The sets made from scenes: for training, and for testing on combinations and sentences never trained on."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negjax.datasets.scenes import records
from negjax.datasets.scenes.objects import NAMES
from negjax.datasets.scenes.pools import draw_pool
from negjax.datasets.scenes.world import World
from negjax.datasets.stored.store import write_set
from negjax.language.phrases import a
from negjax.synthesis.captions import Writer
from negjax.synthesis.questions import CELLS

TRAINING = ("scenes_captions", "scenes_negcap", "scenes_negmcq", "scenes_balanced")
TASKS = (
    "scenes_retrieval",
    "scenes_negated_retrieval",
    "scenes_mcq",
    "scenes_truth_table",
    "scenes_zeroshot",
)
TEMPLATES = ("a picture of {}", "a drawing of {}", "this image shows {}", "there is {} here")


@dataclass(frozen=True)
class Size:
    """How many pictures and questions. The defaults are those of the quickstart."""

    pretraining: int = 20_000
    finetuning: int = 20_000
    galleries: int = 4
    gallery: int = 500
    asked: int = 1_600  # pictures that test questions are asked about
    questions: int = 1_200
    groups: int = 300
    reuse: int = 4  # groups of a truth table that a picture may stand in
    named: int = 20  # pictures of each object alone
    captions: int = 3  # for each training picture
    queries: int = 2  # captions for each picture of a gallery
    training_pixels: int = 40  # side at which training pictures are stored


def build_scenes(data_dir: Path, seed: int, size: Size = Size(), *, overwrite: bool = False) -> None:
    """Draws the pictures and writes every set of TRAINING and TASKS below data_dir. Same seed, same bytes."""
    build = _Build(data_dir, seed, size, World(seed), overwrite)
    build.pretraining()
    build.finetuning()
    build.testing()


@dataclass(frozen=True)
class _Build:
    data_dir: Path
    seed: int
    size: Size
    world: World
    overwrite: bool

    def pretraining(self) -> None:
        size, rng = self.size, self.rng("pretraining")
        pictures = draw_pool(self.combinations(size.pretraining, rng), (self.seed, 1), size.training_pixels)
        writer = Writer(rng, held_out=False)
        captions = (records.captioned(scene, writer, size.captions) for scene in pictures)
        self.write_training("scenes_captions", captions, ["captions"], negated=False)

    def finetuning(self) -> None:
        size, rng = self.size, self.rng("finetuning")
        pool = list(draw_pool(self.combinations(size.finetuning, rng), (self.seed, 2), size.training_pixels))
        writer = Writer(rng, held_out=False)
        negcap = (records.negcap(scene, self.world, writer, size.captions) for scene in pool)
        self.write_training("scenes_negcap", negcap, ["captions", "negated_captions"])
        self.write_training("scenes_negmcq", records.mcq_training(pool, self.world, writer), ["question"])
        groups = records.truth_tables(pool, self.world.trained, writer, size.finetuning // 4, size.reuse)
        both = (records.balanced(*row, self.world, writer, size.captions) for row in groups)
        fields = ["captions", "negated_captions", "question"]
        self.write_training("scenes_balanced", both, fields, group_size=len(CELLS))

    def testing(self) -> None:
        size, rng = self.size, self.rng("testing")
        shown = [names for _ in range(size.galleries) for names in _gallery(self.world, rng, size.gallery)]
        pool = list(draw_pool(shown, (self.seed, 3)))
        writer = Writer(rng, held_out=True)

        def in_galleries(examples: Iterable[records.Record]) -> Iterable[records.Record]:
            return (example | {"group": i // size.gallery} for i, example in enumerate(examples))

        plain = in_galleries(records.captioned(scene, writer, size.queries) for scene in pool)
        self.write("scenes_retrieval", plain, ["captions"], task_kind="retrieval", negated=False)
        negated = in_galleries(records.negated(scene, self.world, writer, size.queries) for scene in pool)
        self.write("scenes_negated_retrieval", negated, ["captions"], task_kind="retrieval", negated=True)

        # Galleries hold few pictures of two objects, as no two are of the same set; questions get their own pictures.
        pool = list(draw_pool([self.world.testing(rng) for _ in range(size.asked)], (self.seed, 5)))
        questions = records.mcq_testing(pool, self.world, rng, size.questions)
        self.write("scenes_mcq", questions, ["question"], task_kind="mcq", negated=True)
        groups = records.truth_tables(pool, self.world.held_out, writer, size.groups, size.reuse)
        asked = (records.asked(*row) for row in groups)
        self.write("scenes_truth_table", asked, ["question"], task_kind="truth_table", negated=True)

        alone = draw_pool([[name] for name in NAMES for _ in range(size.named)], (self.seed, 4))
        named = ({"media": scene.png, "label": NAMES.index(scene.names[0])} for scene in alone)
        prompts = {"classnames": [a(name) for name in NAMES], "templates": list(TEMPLATES)}
        self.write("scenes_zeroshot", named, ["label"], task_kind="zeroshot", negated=False, **prompts)

    def combinations(self, count: int, rng: np.random.Generator) -> list[list[str]]:
        return [self.world.training(rng) for _ in range(count)]

    def rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    def write_training(
        self,
        name: str,
        examples: Iterable[records.Record],
        fields: Sequence[str],
        negated: bool = True,
        **more: Any,
    ) -> None:
        altered = f"resized to {self.size.training_pixels}"
        self.write(name, examples, fields, task_kind="train", negated=negated, altered=altered, **more)

    def write(self, name: str, examples: Iterable[records.Record], fields: Sequence[str], **metadata: Any) -> None:
        metadata["source"] = {"drawn": "negjax scenes", "seed": self.seed}
        write_set(self.data_dir, name, lambda: iter(examples), fields, metadata, overwrite=self.overwrite)


def _gallery(world: World, rng: np.random.Generator, size: int) -> list[list[str]]:
    """Test combinations, no two of them the same set of objects."""
    gallery: dict[frozenset[str], list[str]] = {}
    while len(gallery) < size:
        names = world.testing(rng)
        gallery.setdefault(frozenset(names), names)
    return list(gallery.values())
