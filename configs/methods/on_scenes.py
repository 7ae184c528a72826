"""What the methods of this folder share on the quickstart's scenes: the start, steps, images of a step, and the tasks.

The comparison is fair in these: no method sees more images, or has another optimizer than the one that pre-trained the
start. A paper's own learning rate, 1e-6 for B/32, is that of large weights trained on 400 million pairs.
"""

from typing import Any

from ml_collections import ConfigDict

IMAGES = 128  # of a step, over all sources
AUGMENTED = {"crop_scale": 0.7, "flip": True}
TASKS = ["scenes_retrieval", "scenes_negated_retrieval", "scenes_mcq", "scenes_truth_table", "scenes_zeroshot"]


def fine_tuning(sources: dict[str, dict[str, Any]], **optim: Any) -> ConfigDict:
    """A fine-tuning of the pre-trained model of the scenes.

    Args:
        sources: name -> settings of a source; those without a batch_size share the images that others leave.
        **optim: settings of the optimizer that the method changes.
    """
    config = ConfigDict()
    config.model = {"init_from": "runs/pretrain"}
    left = IMAGES - sum(source.get("batch_size", 0) for source in sources.values())
    sharing = max(1, sum("batch_size" not in source for source in sources.values()))
    config.sources = {name: {"batch_size": left // sharing, **AUGMENTED, **source} for name, source in sources.items()}
    config.data_dir = "data"
    config.steps = 400
    config.optim = {"learning_rate": 2e-3, "warmup_steps": 50, "weight_decay": 0.1, **optim}
    config.evaluation = {"tasks": TASKS}
    config.seed = 0
    return config
