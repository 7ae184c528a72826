"""NegBench's NegCap: CLIP's loss alone, on captions of which most also say what is absent.

    negjax train --config configs/methods/negcap.py --workdir runs/negcap --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
NegBench (arXiv 2501.09425), B/32 on CC12M: COCO R@5 58.5, negated R@5 57.8, multiple choice 47.3 (before: 54.8, 48.0,
39.2).
Other than there: sentences are patterns. Three captions in four are negated, as its three beside the plain one.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"captions": {"dataset": "scenes_negcap", "contrastive": 1.0, "negated_fraction": 0.75}})
