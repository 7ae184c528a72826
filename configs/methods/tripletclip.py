"""TripletCLIP: both images and both captions of a pair that differs in one object, each the other's hard negative.

    negjax data derive --kind distractors --medium drawing --source scenes_negcap --name scenes_distractors \\
        --data-dir DIR
    negjax train --config configs/methods/tripletclip.py --workdir runs/tripletclip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
TripletCLIP (NeurIPS 2024) trains from scratch on images that are generated from wrong captions; NegBench measured it
at 33.8 on COCO's questions.
Other than there: the second image is another scene, which shows all objects of the first but the denied one; the
second caption is a negation, where theirs says something else; and a caption is compared with the images of both
kinds, theirs with those of its own.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"pairs": {"dataset": "scenes_distractors", "contrastive": 1.0}})
