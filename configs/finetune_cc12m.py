"""CC12M: the control. The same fine-tuning on the same images with their plain captions, no negation.

    negjax convert ViT-B-32.pt weights/clip_b32 --arch ViT-B-32-quickgelu
    negjax data build --kind captions --webdataset '~/cc12m/*.tar' --short-side 224 --skip-missing \\
        --name cc12m --data-dir data
    negjax train --config configs/finetune_cc12m.py --workdir runs/cc12m

ViT-B-32.pt is OpenAI's file, the tar files are img2dataset's. What a NegCap or NegFull run gains over this one is
what negation gives; the rest is more training. NegBench (arXiv 2501.09425): COCO R@5 58.8, negated R@5 54.5, multiple
choice 34.7 (before: 54.8, 48.0, 39.2). Batch and learning rate as in finetune_negcap.py.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "weights/clip_b32", "dtype": "bfloat16"}
    config.sources = {"cc12m": {"dataset": "cc12m", "batch_size": 256, "contrastive": 1.0}}
    config.data_dir = "data"
    config.steps = 10_000
    config.optim = {"learning_rate": 1e-6, "warmup_steps": 50}
    config.loss = {"sharded": True}
    config.evaluation = {"every": 1000}
    config.checkpoint_every = 1000
    return config
