r"""NegBench on chest X-rays: is a finding there? With its control, which asks without negation.

    negjax data suite --config configs/eval_chexpert.py --files ~/negbench/images --media-root ~/chexpert \
        --data-dir data
    negjax eval --config configs/eval_chexpert.py --model MODEL --data-dir data --out results/NAME

Files: NegBench's CSV files, linked from datasets.md of github.com/m1k2zoo/negbench (MIT). Of the later files of one
finding each, FINDING/chexpert_affirmation_binary_mcq.csv and FINDING/chexpert_negation_binary_mcq.csv, name the
finding in both commands: configs/eval_chexpert.py:Lung_Opacity. Images: CheXpert, by agreement with its owner
(stanfordmlgroup.github.io/competitions/chexpert); the folder that holds valid/.
What to expect: chance is 50. BiomedCLIP scores 45.5 on the negated file."""

from ml_collections import ConfigDict


def get_config(finding: str = "") -> ConfigDict:
    affirmation, negation = "chexpert_binary_mcq_control.csv", "chexpert_binary_mcq.csv"
    if finding:
        affirmation = f"{finding}/chexpert_affirmation_binary_mcq.csv"
        negation = f"{finding}/chexpert_negation_binary_mcq.csv"
    config = ConfigDict()
    config.tasks = {
        "chexpert_affirmation": {"kind": "questions", "file": affirmation},
        "chexpert_negation": {"kind": "questions", "file": negation},
    }
    return config
