"""NegCLIP: each caption with a wrong one of the same words, added to the captions that images are compared with.

    negjax convert ViT-B-32.pt weights/clip_b32 --arch ViT-B-32-quickgelu
    negjax data build --kind pairs --train --csv negclip_train.csv --media-root ~/coco/train2014 --short-side 224 \\
        --name negclip --data-dir data
    negjax train --config configs/negclip.py --workdir runs/negclip

ViT-B-32.pt is OpenAI's file; negclip_train.csv has the columns filepath, caption, negative_caption. Yuksekgonul et
al. 2023 (arXiv 2210.01936) add the wrong captions of a batch to the texts that each image is compared with;
they also add a similar image for each, which is not done here. 2,200 steps are five passes over 113 K images;
learning rate and warm-up are those of published commands (--lr 1e-6 --warmup 50 --epochs 5 --batch-size 256).
NegBench measured their model at COCO R@5 68.7, negated R@5 64.4, multiple choice 28.6 (OpenAI's B/32: 54.8, 48.0,
39.2): trained on COCO it retrieves better there, and wrong captions alone do not teach negation.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "weights/clip_b32", "dtype": "bfloat16"}
    config.sources = {
        "negclip": {"dataset": "negclip", "batch_size": 256, "contrastive": 1.0, "hard_negatives": 1},
    }
    config.data_dir = "data"
    config.steps = 2_200
    config.optim = {"learning_rate": 1e-6, "warmup_steps": 50}
    config.loss = {"sharded": True}
    config.evaluation = {"every": 500}
    config.checkpoint_every = 500
    return config
