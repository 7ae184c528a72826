"""NegFull: negated captions, balanced questions and NegBench-form questions in every step.

The balanced set holds pictures with captions and a question, so that one image forward serves both losses.

    negjax train --config configs/scenes_negfull.py --workdir runs/negfull --config.data_dir=DIR
    negjax train --config configs/scenes_negfull.py:negcap+negmcq --workdir runs/unbalanced --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data). It starts from runs/pretrain, where
configs/scenes_pretrain.py left its weights; --config.model.init_from=DIR starts from elsewhere.
The second trains on some of the sources only. What to expect: the README's tables.
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
CAPTIONS = {"contrastive": 1.0, "negated_fraction": 0.5}
QUESTIONS = {"mcq": 1.0, "image_choice": 0.4}  # an image picks its caption, and a caption its image


def get_config(chosen: str = "balanced+negmcq") -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "runs/pretrain"}
    sources = {
        "balanced": {"dataset": "scenes_balanced", "batch_size": 128, **QUESTIONS, **CAPTIONS, **IMAGES},
        "negmcq": {"dataset": "scenes_negmcq", "batch_size": 32, "mcq": 1.0, **IMAGES},
        "negcap": {"dataset": "scenes_negcap", "batch_size": 128, **CAPTIONS, **IMAGES},
    }
    names = chosen.split("+")
    if unknown := [name for name in names if name not in sources]:
        raise ValueError(f"there is no {' and no '.join(unknown)}, only {', '.join(sources)}, joined by +")
    config.sources = {name: sources[name] for name in names}
    config.data_dir = "data"
    config.steps = 500
    config.optim = {"name": "muon", "learning_rate": 6e-3, "warmup_steps": 50, "weight_decay": 0.1}
    config.evaluation = {"tasks": TASKS}
    config.seed = 0
    return config
