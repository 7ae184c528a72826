"""NegationCLIP: the text tower alone, on captions that all say what is absent as well.

    negjax train --config configs/methods/negationclip.py --workdir runs/negationclip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
Park et al. 2025 (arXiv 2501.10913): for B/32 VALSE existence from 71.0 to 80.2, NegRefCOCOg 57.7 to 64.1, COCO R@5
54.8 to 68.0.
Other than there: the sentences are patterns, where a language model writes theirs; the last step counts, where they
keep the one with the best validation loss.
"""

from on_scenes import fine_tuning


def get_config():
    captions = {"dataset": "scenes_negcap", "contrastive": 1.0, "negated_fraction": 1.0}
    return fine_tuning({"captions": captions}, freeze=["visual/.*", "text/norm_final/.*"])
