"""Zero-shot ImageNet: what a model forgot while it learned negation.

    negjax data suite --config configs/eval_imagenet.py --media-root ~/imagenet/val --data-dir data
    negjax eval --config configs/eval_imagenet.py --model MODEL --data-dir data --out results/NAME

Images: ILSVRC2012's validation set (image-net.org), in 1,000 folders named by their WordNet ids. Class names and the 80
prompts are OpenAI's. What to expect of OpenAI's ViT-B-32: 63.2 (Radford et al. 2021, table 11)."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        "imagenet": {"kind": "folder", "file": ".", "classnames": "imagenet", "templates": "openai"},
    }
    return config
