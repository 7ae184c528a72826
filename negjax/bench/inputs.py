"""The inputs of all measures, drawn in a process of its own, so that the command itself holds no memory."""

from pathlib import Path

import numpy as np

from negjax.bench.drawn import CAPTIONS, draw_training_rows, write_tasks, write_training_set
from negjax.bench.settings import TASKS, TRAINING_SET, BenchSettings

EPOCH_BATCHES = 4  # batches in the drawn training set


def draw_inputs(settings: BenchSettings) -> None:
    """Writes the drawn sets that the settings name."""
    Path(settings.data_dir).mkdir(parents=True, exist_ok=True)
    if settings.train_set == TRAINING_SET:
        rng = np.random.default_rng([settings.seed, 0])
        rows = list(draw_training_rows(EPOCH_BATCHES * settings.batch, CAPTIONS, rng))
        write_training_set(settings.data_dir, TRAINING_SET, rows)
    if settings.tasks == TASKS:
        write_tasks(settings.data_dir, TASKS, settings.images, settings.seed)
