"""nT2VR: a caption that denies something of the image is worse than the plain one, by a margin with two sides.

    negjax data derive --kind denied --medium drawing --source scenes_negcap --name scenes_denied --data-dir DIR
    negjax train --config configs/methods/nt2vr.py --workdir runs/nt2vr --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
Wang et al. 2022 (arXiv 2205.00132), on videos: MSR-VTT R@1 from 41.1 to 42.1, of "A but not B" from 17.3 to 24.8.
Other than there: images; CLIP's loss in the place of their triplet loss, and the bounded losses beside it with weight
1 on means, where they have .001 on sums.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"captions": {"dataset": "scenes_denied", "contrastive": 1.0, "bounded": 1.0}})
