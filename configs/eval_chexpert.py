r"""NegBench on chest X-rays: is an opacity there? With its control, which asks without negation.

    negjax data suite --config configs/eval_chexpert.py --files ~/negbench/chexpert --media-root ~/chexpert \
        --data-dir data
    negjax eval --config configs/eval_chexpert.py --model MODEL --data-dir data --out results/NAME

Files: NegBench's CSV files, linked from datasets.md of github.com/m1k2zoo/negbench (MIT). Images: CheXpert, by
agreement with its owner (stanfordmlgroup.github.io/competitions/chexpert).
What to expect: chance is 50. BiomedCLIP scores 45.5 on the negated file."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        "chexpert_affirmation": {"kind": "questions", "file": "chexpert_affirmation_binary_mcq.csv"},
        "chexpert_negation": {"kind": "questions", "file": "chexpert_negation_binary_mcq.csv"},
    }
    return config
