"""Omni-NegCLIP: captions that deny what is there as wrong ones, and captions that deny what is not as right ones.

    negjax data derive --kind denied --medium drawing --source scenes_negcap --name scenes_denied --data-dir DIR
    negjax train --config configs/methods/omni_negclip.py --workdir runs/omni_negclip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
Omni-NegCLIP (arXiv 2603.29258); its two stages are the two sources of a step, and the lower half of the text tower is
trained, as there.
Other than there: each stage has half of the images of a step, so that the step sees as many as other methods'.
"""

from on_scenes import fine_tuning

FROZEN = ["visual/.*", "text/transformer/blocks/1/.*"]  # of two blocks the upper one


def get_config():
    # The mean of three cross-entropies: two of the contrastive loss, and that between the two captions.
    presence = {"dataset": "scenes_denied", "contrastive": 2 / 3, "mcq": 1 / 3, "hard_negatives": 1}
    absence = {"dataset": "scenes_negcap", "contrastive": 1.0, "absence": 1.0}
    return fine_tuning({"presence": presence, "absence": absence}, freeze=FROZEN)
