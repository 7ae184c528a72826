"""NegCLIP: a wrong caption of almost the same words for each image, among those that images are compared with.

    negjax data derive --kind replaced --medium drawing --source scenes_negcap --name scenes_replaced --data-dir DIR
    negjax train --config configs/methods/negclip.py --workdir runs/negclip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
Yuksekgonul et al. 2023 (arXiv 2210.01936). NegBench measured their B/32 at COCO R@5 68.7, negated R@5 64.4, multiple
choice 28.6 (OpenAI's: 54.8, 48.0, 39.2).
Other than there: an object is replaced where they swap words, because the scenes' captions mean the same when their
objects are swapped; and there is no similar image beside each.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"captions": {"dataset": "scenes_replaced", "contrastive": 1.0, "hard_negatives": 1}})
