"""NegFull: negated captions and questions of the same images, so that one image forward serves both losses.

    negjax convert ViT-B-32.pt weights/clip_b32 --arch ViT-B-32-quickgelu
    negjax data build --kind negcap --csv cc12m_negcap.csv --questions cc12m_negmcq.csv --media-root ~/cc12m \\
        --short-side 224 --skip-missing --name negfull --data-dir data
    negjax train --config configs/finetune_negfull.py --workdir runs/negfull
    negjax train --config configs/finetune_negfull.py:keep --workdir runs/negfull_keep

ViT-B-32.pt is OpenAI's file. The weights of the losses are those of NegBench's released checkpoints, .99 and .01
(arXiv 2501.09425); it reports COCO R@5 54.2, negated R@5 51.9, multiple choice 54.4 (before: 54.8, 48.0, 39.2). Its
question loss was not on cosines, so the best weights may differ: sweep them. Batch and learning rate as in
finetune_negcap.py.

`:keep` adds affirmative pairs against forgetting: a set "affirmative" (`--kind captions --train`), on which the
captions are contrasted and the embeddings are kept close to those of the start. `negjax convert runs/negfull DST --mix
weights/clip_b32 --share 0.5` averages start and end (WiSE-FT).
"""

from ml_collections import ConfigDict


def get_config(also: str = "") -> ConfigDict:
    config = ConfigDict()
    config.model = {"init_from": "weights/clip_b32", "dtype": "bfloat16"}
    config.sources = {
        "negfull": {
            "dataset": "negfull",
            "batch_size": 256,
            "contrastive": 0.99,
            "mcq": 0.01,
            "negated_fraction": 0.75,
        },
    }
    if also == "keep":
        config.sources["keep"] = {"dataset": "affirmative", "batch_size": 128, "contrastive": 0.5, "distill": 1.0}
    elif also:
        raise ValueError(f"unknown {also!r}; choose keep")
    config.data_dir = "data"
    config.steps = 10_000
    config.optim = {"learning_rate": 1e-6, "warmup_steps": 50}
    config.loss = {"sharded": True}
    config.evaluation = {"every": 1000}
    config.checkpoint_every = 1000
    return config
