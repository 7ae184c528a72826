r"""NegBench's questions on VOC2007.

    negjax data suite --config configs/eval_voc.py --files ~/negbench/images \
        --media-root ~/VOCdevkit/VOC2007/JPEGImages --data-dir data
    negjax eval --config configs/eval_voc.py --model MODEL --data-dir data --out results/NAME

File: NegBench's CSV file, linked from datasets.md of github.com/m1k2zoo/negbench (MIT). Images: VOCtest_06-Nov-2007.tar
of host.robots.ox.ac.uk/pascal/VOC/voc2007 (0.4 GB).
What to expect of OpenAI's ViT-B-32: 38.7 (positive 82.6, negative 3.3, hybrid 59.0)."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        "voc_mcq": {"kind": "questions", "file": "VOC2007_mcq_llama3.1_rephrased.csv"},
    }
    return config
