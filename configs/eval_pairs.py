"""Older benchmarks of negation: a right and a wrong caption, or a caption and a few boxes.

    negjax data suite --config configs/eval_pairs.py --files ~/pairs --media-root ~/pairs/images --data-dir data
    negjax eval --config configs/eval_pairs.py --model MODEL --data-dir data --out results/NAME

Files and images, all to be laid at any depth below the two folders:
SugarCrepe: data/*.json of github.com/RAIVNLab/sugar-crepe (MIT), COCO val2017.
VALSE: data/existence.json of github.com/Heidelberg-NLP/VALSE (MIT), images of Visual7W.
NegRefCOCOg: negrefcocog.json of github.com/jerryray/NegationCLIP, COCO train2014.
Leave out what you do not have with a config of your own: copy this file. They are kept for comparison: most can be
answered in part by spotting the negation, see the blind figures beside each."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        "sugarcrepe_add_obj": {"kind": "pairs", "file": "add_obj.json"},
        "sugarcrepe_replace_obj": {"kind": "pairs", "file": "replace_obj.json"},
        "sugarcrepe_swap_obj": {"kind": "pairs", "file": "swap_obj.json"},
        "valse_existence": {"kind": "pairs", "file": "existence.json"},
        "negrefcocog": {"kind": "pairs", "file": "negrefcocog.json"},
    }
    return config
