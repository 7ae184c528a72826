"""NegBench's NegFull: negated captions and multiple-choice questions, with weights a and 1 - a.

    negjax train --config configs/methods/negfull.py --workdir runs/negfull --config.data_dir=DIR
    negjax train --config configs/methods/negfull.py:0.5 --workdir runs/negfull_half --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
NegBench (arXiv 2501.09425), B/32: 54.4 / 54.8 / 44.9 on the questions of COCO, VOC2007 and MSR-VTT, with a = .99.
Other than there: its code's question loss is on embeddings that are not of length 1, and this one on cosines, so that
its weight has to be swept: the argument is a. A quarter of the images have questions, the others captions.
"""

from on_scenes import IMAGES, fine_tuning


def get_config(a: str = "0.99"):
    captions = {"dataset": "scenes_negcap", "contrastive": float(a), "negated_fraction": 0.75}
    questions = {"dataset": "scenes_negmcq", "mcq": 1 - float(a), "batch_size": IMAGES // 4}
    return fine_tuning({"captions": captions, "questions": questions})
