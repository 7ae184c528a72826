"""NegBench's NegMCQ: its multiple-choice questions alone, with what their form gives away.

    negjax train --config configs/methods/negmcq.py --workdir runs/negmcq --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
NegBench (arXiv 2501.09425): questions alone give B/32 COCO R@5 33.9 and multiple choice 59.4 (before: 54.8, 39.2).
Other than there: the loss is the paper's, on cosines, as in all configs here.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"questions": {"dataset": "scenes_negmcq", "mcq": 1.0}})
