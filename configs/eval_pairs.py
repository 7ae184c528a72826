r"""Older benchmarks of negation and composition: a right and a wrong caption, or a caption and a few boxes.

    negjax data suite --config configs/eval_pairs.py --files ~/pairs --media-root ~/pairs/images --data-dir data
    negjax eval --config configs/eval_pairs.py --model MODEL --data-dir data --out results/NAME

Files, at any depth below --files, and images, all in the one folder --media-root (links will do), for the files name
no folders:
SugarCrepe: data/*.json of github.com/RAIVNLab/sugar-crepe (MIT), images of COCO val2017.
VALSE: data/existence.json of github.com/Heidelberg-NLP/VALSE (MIT), images of Visual7W.
NegRefCOCOg: NegRefCOCOg/NegRefCOCOg.json of github.com/parkquasar/NegationCLIP, images of COCO train2014.
Leave out what you do not have with a config of your own: copy this file. What to expect: chance is 50. They are kept
for comparison: most can be answered in part from the texts alone, see the blind figures beside each."""

from ml_collections import ConfigDict

SUGARCREPE = ("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {f"sugarcrepe_{part}": {"kind": "pairs", "file": f"{part}.json"} for part in SUGARCREPE}
    config.tasks.valse_existence = {"kind": "pairs", "file": "existence.json"}
    config.tasks.negrefcocog = {"kind": "pairs", "file": "NegRefCOCOg.json"}
    return config
