"""NegationCLIP: the text tower alone, on captions that name what is present and what is absent.

    negjax convert ViT-B-32.pt weights/clip_b32 --arch ViT-B-32-quickgelu
    negjax data build --kind negcap --csv negated_coco.csv --media-root ~/coco/train2014 --short-side 224 \\
        --name negated_coco --data-dir data
    negjax train --config configs/negationclip.py --workdir runs/negationclip

ViT-B-32.pt is OpenAI's file; negated_coco.csv has the columns filepath, caption, negative_captions. Park et al. 2025
(arXiv 2501.10913) fine-tune on 229 K such captions with a learning rate of 1e-6 and batches of 512, the image tower
frozen, and report for B/32 COCO R@5 from 54.8 to 68.0 and ImageNet from 62.0 to 61.0. 2,200 steps are five passes
over as many captions; the number of passes is ours.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "weights/clip_b32", "dtype": "bfloat16"}
    config.sources = {
        "captions": {"dataset": "negated_coco", "batch_size": 512, "contrastive": 1.0, "negated_fraction": 1.0},
    }
    config.data_dir = "data"
    config.steps = 2_200
    config.optim = {"learning_rate": 1e-6, "warmup_steps": 50, "freeze": ["visual/.*"]}
    config.loss = {"sharded": True}
    config.evaluation = {"every": 500}
    config.checkpoint_every = 500
    return config
