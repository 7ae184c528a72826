"""The control: more affirmative captions, from which nothing about negation can be learned.

    negjax train --config configs/methods/affirmative.py --workdir runs/affirmative --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
Every other method has to beat this one. NegBench (arXiv 2501.09425) has the same control on CC12M's captions.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"captions": {"dataset": "scenes_negcap", "contrastive": 1.0}})
