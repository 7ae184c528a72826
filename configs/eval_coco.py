r"""NegBench on COCO, and what its labels make: the truth table, negated queries and the affirmation bias.

    negjax data suite --config configs/eval_coco.py --files ~/negbench/images --media-root ~/coco/val2017 \
        --data-dir data
    negjax eval --config configs/eval_coco.py --model MODEL --data-dir data --out results/NAME

Files: NegBench's CSV files, linked from datasets.md of github.com/m1k2zoo/negbench (MIT). Images: val2017.zip of
cocodataset.org (5,000 images, 0.8 GB; each of the six sets holds its images, 6 GB in all). The CSV files' paths need
no editing.
What to expect of OpenAI's ViT-B-32 (NegBench, corrected version): R@5 54.8, negated R@5 48.0, questions 39.2
(positive 69.1, negative 6.8, hybrid 39.3). Nothing is published for the three derived sets."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        "coco_retrieval": {"kind": "captions", "file": "COCO_val_retrieval.csv"},
        "coco_negated_retrieval": {
            "kind": "captions",
            "file": "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv",
        },
        "coco_mcq": {"kind": "questions", "file": "COCO_val_mcq_llama3.1_rephrased.csv"},
        "coco_truth_table": {"kind": "truth_table", "source": "coco_retrieval"},
        "coco_queries": {"kind": "queries", "source": "coco_retrieval"},
        "coco_affirmation": {"kind": "affirmation", "source": "coco_retrieval"},
    }
    return config
