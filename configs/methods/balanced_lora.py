"""Ours with LoRA: the data of configs/methods/balanced.py, and small matrices beside frozen weights of both towers.

    negjax train --config configs/methods/balanced_lora.py --workdir runs/balanced_lora --config.data_dir=DIR

DIR is the data folder of a `negjax quickstart` (its WORKDIR/data), and runs/pretrain a copy of its WORKDIR/pretrained.
LoRA of CLIP as FSC-CLIP has it (EMNLP 2024): rank 4, which there keeps more zero-shot accuracy than all weights do, at
ten times their learning rate.
Other than there: five times.
"""

import balanced


def get_config():
    config = balanced.get_config()
    config.lora = {"rank": 4, "alpha": 8.0, "matrices": ["(text|visual)/transformer/.*/kernel"]}
    config.optim.learning_rate = 1e-2
    return config
