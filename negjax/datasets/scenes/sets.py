"""The sets of scenes: four for training, and five tasks on combinations and sentences that are never trained on."""

import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.scenes import records
from negjax.datasets.scenes.combinations import CombinationSplit
from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.datasets.scenes.pool import Scene, draw_scenes
from negjax.datasets.stored.store import write_set
from negjax.language.phrases import with_article
from negjax.runtime.worker_pool import WorkerPool
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import TRUTH_TABLE_CELLS

SCENE_TRAINING_SETS = ("scenes_captions", "scenes_negcap", "scenes_negmcq", "scenes_balanced")
SCENE_TASKS = (
    "scenes_retrieval",
    "scenes_negated_retrieval",
    "scenes_mcq",
    "scenes_truth_table",
    "scenes_zeroshot",
)
ZEROSHOT_TEMPLATES = ("a picture of {}", "a drawing of {}", "this image shows {}", "there is {} here")


@dataclass(frozen=True)
class Size:
    """How many images and questions to draw. The defaults are those of the quickstart.

    The quickstart stores the `repr` of this class in its workdir, to recognise sets of another size: renaming the
    class or an attribute makes the scenes of earlier workdirs unusable.

    Attributes:
        pretraining: images for pre-training, in `scenes_captions`.
        finetuning: images for fine-tuning, in the other training sets.
        galleries: galleries of the retrieval tasks.
        gallery: images of a gallery.
        asked: images of the test questions.
        questions: questions of `scenes_mcq`.
        groups: groups of four questions of `scenes_truth_table`.
        reuse: the largest number of truth tables that an image may be in.
        named: images of each object alone, in `scenes_zeroshot`.
        captions: captions of each training image.
        queries: captions of each image of a gallery.
        training_pixels: the side at which training images are stored.
    """

    pretraining: int = 20_000
    finetuning: int = 20_000
    galleries: int = 4
    gallery: int = 500
    asked: int = 1_600
    questions: int = 1_200
    groups: int = 300
    reuse: int = 4
    named: int = 20
    captions: int = 3
    queries: int = 2
    training_pixels: int = 40


def build_scenes(data_dir: Path, seed: int, size: Size = Size(), *, overwrite: bool = False) -> None:
    """Draw the scenes and write the sets of SCENE_TRAINING_SETS and SCENE_TASKS.

    Args:
        data_dir: the folder of the sets.
        seed: seed of all random draws; the same seed and size give the same bytes.
        size: how many images and questions to draw.
        overwrite: replace sets that exist already.

    Raises:
        ValueError: when `size` has too few images for its truth tables.
    """
    with WorkerPool(os.cpu_count() or 1) as pool:
        builder = _SceneSetsBuilder(data_dir, seed, size, CombinationSplit(seed), overwrite, pool)
        build_sets = [builder.begin_pretraining_set(), builder.begin_finetuning_sets(), builder.begin_tasks()]
        for build in build_sets:
            build()


@dataclass(frozen=True)
class _SceneSetsBuilder:
    """Draws and writes the sets; the attributes are the arguments of `build_scenes`, the split of its seed and workers.

    The workers draw all scenes one after the other; what is begun is written when the returned function is called.
    """

    data_dir: Path
    seed: int
    size: Size
    split: CombinationSplit
    overwrite: bool
    pool: WorkerPool

    def begin_pretraining_set(self) -> Callable[[], None]:
        """Begin the images and captions for pre-training."""
        rng = self._make_rng("pretraining")
        combinations = [self.split.draw_training(rng) for _ in range(self.size.pretraining)]
        scenes = draw_scenes(combinations, (self.seed, 1), self.size.training_pixels, self.pool)
        return partial(self._write_pretraining_set, scenes, rng)

    def _write_pretraining_set(self, scenes: Iterable[Scene], rng: np.random.Generator) -> None:
        size = self.size
        writer = CaptionWriter(rng, held_out=False)
        rows = (records.caption_record(scene, writer, size.captions) for scene in scenes)
        self._write_training_set("scenes_captions", rows, ["captions"], negated=False)

    def begin_finetuning_sets(self) -> Callable[[], None]:
        """Begin three sets about the same images."""
        rng = self._make_rng("finetuning")
        combinations = [self.split.draw_training(rng) for _ in range(self.size.finetuning)]
        scenes = draw_scenes(combinations, (self.seed, 2), self.size.training_pixels, self.pool)
        return partial(self._write_finetuning_sets, scenes, rng)

    def _write_finetuning_sets(self, drawn: Iterable[Scene], rng: np.random.Generator) -> None:
        size, scenes = self.size, list(drawn)
        writer = CaptionWriter(rng, held_out=False)
        rows = (records.negcap_record(scene, self.split, writer, size.captions) for scene in scenes)
        self._write_training_set("scenes_negcap", rows, ["captions", "negated_captions"])
        self._write_training_set("scenes_negmcq", records.negmcq_records(scenes, self.split, writer), ["question"])
        pairs, groups = self.split.training_pairs, size.finetuning // 4
        tables = records.draw_truth_tables(scenes, pairs, writer, groups, size.reuse)
        rows = (records.balanced_record(*question, self.split, writer, size.captions) for question in tables)
        fields = ["captions", "negated_captions", "question"]
        self._write_training_set("scenes_balanced", rows, fields, group_size=len(TRUTH_TABLE_CELLS))

    def begin_tasks(self) -> Callable[[], None]:
        """Begin the five tasks, which draw from one generator in this order."""
        size, rng = self.size, self._make_rng("testing")
        combinations = [names for _ in range(size.galleries) for names in self.split.draw_gallery(rng, size.gallery)]
        galleries = draw_scenes(combinations, (self.seed, 3), 0, self.pool)
        combinations = [[name] for name in OBJECT_NAMES for _ in range(size.named)]
        alone = draw_scenes(combinations, (self.seed, 4), 0, self.pool)
        return partial(self._write_tasks, galleries, alone, rng)

    def _write_tasks(self, galleries: Iterable[Scene], alone: Iterable[Scene], rng: np.random.Generator) -> None:
        writer = CaptionWriter(rng, held_out=True)
        self._write_retrieval_tasks(list(galleries), writer)
        self._build_question_tasks(rng, writer)
        self._write_zeroshot_task(alone)

    def _write_retrieval_tasks(self, scenes: Sequence[Scene], writer: CaptionWriter) -> None:
        """Write two tasks over the same galleries."""
        size = self.size

        def number_galleries(rows: Iterable[Record]) -> Iterable[Record]:
            return (row | {"group": i // size.gallery} for i, row in enumerate(rows))

        plain = number_galleries(records.caption_record(scene, writer, size.queries) for scene in scenes)
        self._write("scenes_retrieval", plain, ["captions"], task_kind="retrieval", negated=False)
        negated = number_galleries(
            records.negated_retrieval_record(scene, self.split, writer, size.queries) for scene in scenes
        )
        self._write("scenes_negated_retrieval", negated, ["captions"], task_kind="retrieval", negated=True)

    def _build_question_tasks(self, rng: np.random.Generator, writer: CaptionWriter) -> None:
        """Write two tasks about the same images.

        The images of the galleries are not used: they all show different sets of objects, so few have two objects.
        """
        size = self.size
        combinations = [self.split.draw_testing(rng) for _ in range(size.asked)]
        scenes = list(draw_scenes(combinations, (self.seed, 5), 0, self.pool))
        questions = records.mcq_records(scenes, self.split, rng, size.questions)
        self._write("scenes_mcq", questions, ["question"], task_kind="mcq", negated=True)
        pairs = self.split.held_out_pairs
        tables = records.draw_truth_tables(scenes, pairs, writer, size.groups, size.reuse)
        rows = (records.question_record(*question) for question in tables)
        self._write("scenes_truth_table", rows, ["question"], task_kind="truth_table", negated=True)

    def _write_zeroshot_task(self, scenes: Iterable[Scene]) -> None:
        """Write images of each object alone, with the object as label."""
        rows = ({"media": scene.png, "label": OBJECT_NAMES.index(scene.names[0])} for scene in scenes)
        classnames = [with_article(name) for name in OBJECT_NAMES]
        prompts = {"classnames": classnames, "templates": list(ZEROSHOT_TEMPLATES)}
        self._write("scenes_zeroshot", rows, ["label"], task_kind="zeroshot", negated=False, **prompts)

    def _make_rng(self, purpose: str) -> np.random.Generator:
        """Make the random generator of one purpose, independent of the others."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    def _write_training_set(
        self, name: str, rows: Iterable[Record], fields: Sequence[str], negated: bool = True, **metadata: Any
    ) -> None:
        """Write a set of images that are resized for training."""
        altered = f"resized to {self.size.training_pixels}"
        self._write(name, rows, fields, task_kind="train", negated=negated, altered=altered, **metadata)

    def _write(self, name: str, rows: Iterable[Record], fields: Sequence[str], **metadata: Any) -> None:
        """Write a set with the seed in its metadata."""
        metadata["source"] = {"drawn": "negjax scenes", "seed": self.seed}
        write_set(self.data_dir, name, lambda: iter(rows), fields, metadata, overwrite=self.overwrite)
