"""TNG-CLIP: of each image a plain, a half negated and a wholly negated caption, both negated ones made in the batch.

    negjax train --config configs/methods/tng_clip.py --workdir runs/tng_clip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
TNG-CLIP (arXiv 2505.18434).
Other than there: images are similar as their lists of objects are, where they compare embeddings; and only objects are
denied that occur elsewhere with those of the image. Its loss has a fixed temperature, .07.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"captions": {"dataset": "scenes_negcap", "tng": 1.0}})
