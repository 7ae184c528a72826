"""PeakPatch's text repair on balanced data: a network that reads the frozen text tower corrects all captions.

    negjax train --config configs/methods/peakpatch.py --workdir runs/peakpatch --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
PeakPatch (arXiv 2607.23271), B/32: 74.3 on NegBench's questions of COCO (98.1 / 63.2 / 60.7 by kind), VOC2007 65.5.
Other than there: its wrong captions deny what the image lacks, which is true of the image, and every right option is a
plain caption, so that a text that denies nothing wins; here options are those of truth tables, each right for one image
of four. No dropout; no second network that corrects scores of pairs; hidden layers of 256 for a tower of this size.
"""

from on_scenes import fine_tuning


def get_config():
    balanced = {"dataset": "scenes_balanced", "contrastive": 1.0, "negated_fraction": 0.5, "mcq": 1.0}
    config = fine_tuning({"balanced": balanced})
    config.peakpatch = {"width": 256}
    return config
