"""Evaluates a model with several negation methods at once; the results say which method and constants they are of."""

import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.eval_data import EvalData
from negjax.evaluation.evaluate import TaskResults, evaluate_scorers
from negjax.language.splitter import split
from negjax.models.loaded import LoadedModel
from negjax.negation.table import ChosenMethod, choose_method

logger = logging.getLogger(__name__)


def choose_methods(texts: Sequence[str], model: LoadedModel) -> list[ChosenMethod]:
    """The methods that a user names, with their constants for a model.

    Args:
        texts: see `negjax.negation.table.choose_method`.
        model: the model.

    Raises:
        NegjaxError: a method or constant is wrong, or one is given twice.
    """
    chosen = [choose_method(text, model.config.family, str(model.info.get("sha256", ""))) for text in texts]
    labels = [method.label for method in chosen]
    for label in labels:
        if labels.count(label) > 1:
            raise NegjaxError(f"negation {label} is given twice: give each method and its constants once")
    return chosen


def evaluate_methods(
    model: LoadedModel, sets: EvalData | Sequence[StoredSet], methods: Sequence[ChosenMethod], **settings: Any
) -> dict[str, TaskResults]:
    """As `evaluate_scorers`, by the label of each method.

    The results say which method and constants they are of, and a task on which constants were fitted has a remark.

    Args:
        model: the model to evaluate.
        sets: the sets, or the result of `prepare_eval_data` for them.
        methods: the methods, of different labels.
        **settings: as for `evaluate_scorers`.
    """
    read = functools.cache(split)
    results = evaluate_scorers(model, sets, [method.scorer(read) for method in methods], **settings)
    return {method.label: _described(method, each) for method, each in zip(methods, results)}


def _described(method: ChosenMethod, evaluated: TaskResults) -> TaskResults:
    """The results with the method, and with remarks on tasks that it was calibrated on."""
    results = evaluated.results | {"model": evaluated.results["model"] | method.describe()}
    fitted = method.calibration
    if fitted:
        remark = "the constants of the negation method were fitted on this very set: its figures are no proof"
        for name, task in results["tasks"].items():
            if task["set"].get("questions") == fitted.asked_set.get("questions"):
                logger.warning("negation %s, task %s: %s", method.label, name, remark)
                results["tasks"][name] = task | {"remarks": [*task.get("remarks", []), remark]}
    return replace(evaluated, results=results)
