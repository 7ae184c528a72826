"""CoN-CLIP: the text tower alone; captions that deny something of the image, and distractors of which they are true.

    negjax data derive --kind distractors --medium drawing --source scenes_negcap --name scenes_distractors \\
        --data-dir DIR
    negjax train --config configs/methods/conclip.py --workdir runs/conclip --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
Singh et al. 2024 (arXiv 2403.20312). NegBench measured their B/32 at 23.9 on COCO's questions and 38.1 on VOC's
(OpenAI's: 39.2, 37.9).
Other than there: half of the step's images are distractors, which show all that the caption affirms and not what it
denies; theirs are similar images of the whole data set.
"""

from on_scenes import fine_tuning


def get_config():
    return fine_tuning({"pairs": {"dataset": "scenes_distractors", "conclip": 1.0}}, freeze=["visual/.*"])
