"""A tiny CLIP from scratch on affirmative captions: it finds objects, and ignores "no".

    negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data).
What to expect: see the README's table, row "pretrained". About a minute on 2 CPU cores.
"""

from ml_collections import ConfigDict

TASKS = [
    "scenes_retrieval",
    "scenes_negated_retrieval",
    "scenes_mcq",
    "scenes_truth_table",
    "scenes_zeroshot",
]
IMAGES = {"crop_scale": 0.7, "flip": True}


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.model = {"arch": "tiny-quickgelu"}
    config.sources = {
        "captions": {"dataset": "scenes_captions", "batch_size": 128, "contrastive": 1.0, **IMAGES},
    }
    config.data_dir = "data"
    config.steps = 700
    config.optim = {"learning_rate": 2e-3, "warmup_steps": 100, "weight_decay": 0.1}
    config.evaluation = {"tasks": TASKS}
    config.seed = 0
    return config
