"""NegMCQ: fine-tuning of CLIP B/32 on multiple-choice questions about negation alone.

    negjax convert ViT-B-32.pt weights/clip_b32 --arch ViT-B-32-quickgelu
    negjax data build --kind questions --train --csv cc12m_negmcq.csv --media-root ~/cc12m --short-side 224 \\
        --skip-missing --name negmcq --data-dir data
    negjax train --config configs/finetune_negmcq.py --workdir runs/negmcq

ViT-B-32.pt is OpenAI's file. What to expect: the questions get better and retrieval is forgotten. In NegBench's sweep
of the two losses (arXiv 2501.09425) questions alone give COCO R@5 33.9 and multiple choice 59.4, where OpenAI's B/32
has 54.8 and 39.2; for both at once see finetune_negfull.py. The loss is the paper's, on cosines; its code's is not.
Batch and learning rate as in finetune_negcap.py.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "weights/clip_b32", "dtype": "bfloat16"}
    config.sources = {"negmcq": {"dataset": "negmcq", "batch_size": 256, "mcq": 1.0}}
    config.data_dir = "data"
    config.steps = 10_000
    config.optim = {"learning_rate": 1e-6, "warmup_steps": 50}
    config.evaluation = {"every": 1000}
    config.checkpoint_every = 1000
    return config
