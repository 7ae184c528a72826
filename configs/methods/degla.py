"""DeGLA: wrong captions in three losses, and an averaged teacher that the embeddings stay close to.

    negjax data derive --kind replaced --medium drawing --source scenes_negcap --name scenes_replaced --data-dir DIR
    negjax train --config configs/methods/degla.py --workdir runs/degla --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
DeGLA (arXiv 2504.16801), B/32: VALSE existence from 68.7 to 82.4, ImageNet from 57.9 to 54.5.
Other than there: three wrong captions an image, those of configs/methods/negclip.py, where a language model writes
four; the distillation is of images and right captions, with the weight that makes its mean over 128 their .005 on sums.
The teacher keeps their decay, so that in few steps it moves little.
"""

from on_scenes import IMAGES, fine_tuning


def get_config():
    losses = {"contrastive": 1.0, "mcq": 0.1, "text_contrast": 0.1, "distill": 0.005 * IMAGES}
    captions = {"dataset": "scenes_replaced", "hard_negatives": 3, **losses}
    return fine_tuning({"captions": captions}, teacher_ema=0.9996)
