"""NegCap: contrastive fine-tuning, half of the captions also say what is absent.

    negjax train --config configs/scenes_negcap.py --workdir runs/negcap --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data). It starts from runs/pretrain, where
configs/scenes_pretrain.py left its weights; --config.model.init_from=DIR starts from elsewhere.
What to expect: the README, "What was tried", row "NegCap alone".
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
    config.model = {"init_from": "runs/pretrain"}
    config.sources = {
        "negcap": {
            "dataset": "scenes_negcap",
            "batch_size": 128,
            "contrastive": 1.0,
            "negated_fraction": 0.5,
            **IMAGES,
        },
    }
    config.data_dir = "data"
    config.steps = 500
    config.optim = {"name": "muon", "learning_rate": 6e-3, "warmup_steps": 50, "weight_decay": 0.1}
    config.evaluation = {"tasks": TASKS}
    config.seed = 0
    return config
