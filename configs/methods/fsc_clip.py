"""FSC-CLIP's global half: beside the contrastive loss a focal, smoothed one over an image's own wrong captions.

    negjax data derive --kind replaced --medium drawing --source scenes_negcap --name scenes_replaced --data-dir DIR
    negjax train --config configs/methods/fsc_clip.py --workdir runs/fsc_clip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
FSC-CLIP (EMNLP 2024), weight .5 as on COCO. It reports on word order and attributes, and no figures on negation.
Other than there: no loss over patches, and wrong captions are those of configs/methods/negclip.py.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"captions": {"dataset": "scenes_replaced", "contrastive": 1.0, "focal": 0.5}})
