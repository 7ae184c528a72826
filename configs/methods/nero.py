"""NeRo-CLIP: a residual of rank 8 on the embeddings of captions that deny something, beside a frozen model.

    negjax train --config configs/methods/nero.py --workdir runs/nero --config.data_dir=DIR
    negjax train --config configs/methods/nero.py:0.5 --workdir runs/nero_half --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
NeRo-CLIP (Algorythmsz/261RCOSE46101), B/32, with the share .75 of questions in the loss, which is the argument here:
NegBench's questions on COCO from 39.7 to 54.7, negated R@5 from 44.7 to 50.1, R@1 of plain captions as it was.
Other than there: captions that deny something are found by the splitter, not by eleven words; questions and captions
are the balanced ones of configs/methods/balanced.py; so few parameters take five times the learning rate.
"""

from on_scenes import fine_tuning


def get_config(share: str = "0.75"):
    losses = {"mcq": float(share), "contrastive": 1 - float(share), "negated_fraction": 0.5}
    config = fine_tuning({"balanced": {"dataset": "scenes_balanced", **losses}})
    config.nero = {"rank": 8}
    config.optim.learning_rate = 1e-2
    return config
