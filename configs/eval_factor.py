r"""FACTOR-Bench: does a scorer carry out "not", "and", "or", "but not" and "neither"?

    negjax data suite --config configs/eval_factor.py --files ~/factored-vlm/data --media-root ~/coco --data-dir data
    negjax eval --config configs/eval_factor.py --model MODEL --data-dir data --out results/NAME

File: data/factor_bench.json of github.com/SultanMo/factored-vlm (CC-BY-4.0). Images: val2017.zip of cocodataset.org.
What to expect of OpenAI's ViT-B-32 on factor_operator (arXiv 2607.23052): 58.3 (NOT 58, AND 68.7, OR 42, BUT_NOT 66,
NEITHER 54.4); chance is 50. NOT and NEITHER are the figures to read: without the image, "the one-object caption is
right" answers all of AND, and "or is right" all of OR, so at least 63.6 of the split can be had without looking. Of
factor_equivalence the figure is the share of pairs that are scored differently: less is better."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        f"factor_{split}": {"kind": "pairs", "file": "factor_bench.json", "split": split}
        for split in ("operator", "compound", "equivalence")
    }
    return config
