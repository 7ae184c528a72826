"""Ours: truth tables and captions of the same images, half of them negated, and NegBench's questions.

    negjax train --config configs/methods/balanced.py --workdir runs/balanced --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
The data of configs/scenes_negfull.py, with the optimizer and as many images a step as the other methods of this folder,
and without its second question, which image a caption is of. Every option of a truth table is right for one of its four
images and wrong for three, so that no caption can be chosen or dropped unseen.
"""

from on_scenes import IMAGES, fine_tuning


def get_config():
    balanced = {"dataset": "scenes_balanced", "contrastive": 1.0, "negated_fraction": 0.5, "mcq": 1.0}
    questions = {"dataset": "scenes_negmcq", "mcq": 1.0, "batch_size": IMAGES // 4}
    return fine_tuning({"balanced": balanced, "questions": questions})
