"""CoN-CLIP: the text tower alone learns to tell a caption from one that denies what is in the image.

    negjax convert ViT-B-32.pt weights/clip_b32 --arch ViT-B-32-quickgelu
    negjax data build --kind pairs --train --csv ccneg.csv --media-root ~/cc3m --short-side 224 --skip-missing \\
        --name ccneg --data-dir data
    negjax train --config configs/conclip.py --workdir runs/conclip

ViT-B-32.pt is OpenAI's file; ccneg.csv has the columns filepath, caption, negative_caption (CC-Neg's own file is a
pickle of PyTorch's: write these columns from it). Singh et al. 2024 (arXiv 2403.20312): the image tower is frozen,
the learning rate is 1e-6, and the negated captions are added to all captions that an image is compared with. Their
distractor images, chosen for each negated caption, are replaced by the other images of the batch. 4,500 steps are
five passes over 228 K pairs; the number of passes is ours. NegBench measured their model on COCO's questions at 14.4
/ 33.5 / 24.5 (positive, negative, hybrid; OpenAI's B/32: 69.1 / 6.8 / 39.3): denial is learnt at the cost of the
rest.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "weights/clip_b32", "dtype": "bfloat16"}
    config.sources = {
        "ccneg": {"dataset": "ccneg", "batch_size": 256, "contrastive": 1.0, "hard_negatives": 1},
    }
    config.data_dir = "data"
    config.steps = 4_500
    config.optim = {"learning_rate": 1e-6, "warmup_steps": 50, "freeze": ["visual/.*"]}
    config.loss = {"sharded": True}
    config.evaluation = {"every": 500}
    config.checkpoint_every = 500
    return config
