"""Credits of scorers that read only the options, on each task with questions; no model is involved."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from etils import epath

from negjax.evaluation.blind.credit_cache import CreditCache
from negjax.evaluation.blind.rules import RULES, rule_credit
from negjax.evaluation.blind.text_only import cross_validated_credit, fit_remark, fit_settings, transfer_credit
from negjax.evaluation.eval_data import Task
from negjax.evaluation.tasks.kind import task_kind
from negjax.runtime.progress import track_progress


def text_credits(
    tasks: Sequence[Task],
    captions: Sequence[str],
    *,
    cache_dir: epath.PathLike | None = None,
    progress: bool = False,
) -> dict[str, dict[str, np.ndarray]]:
    """Credits of all scorers that read only texts; see `text_remarks`.

    Args:
        tasks: the tasks; those without questions are skipped.
        captions: the distinct captions that the tasks' contents refer to.
        cache_dir: folder in which the fitted scorers' credits are kept; None to keep nothing.
        progress: show a bar.

    Returns:
        Task -> scorer -> credit of each question [N]. "text_only" is fitted on the task's own questions about other
        images; "text_only_from_NAME" on those of the task NAME, where it has as many options; the fixed rules are
        for questions with four options.
    """
    contents = {task.name: task_kind(task.kind).questions(task.content) for task in tasks}
    questions = {name: content for name, content in contents.items() if content is not None}
    options = {
        name: [[captions[index] for index in option_O] for option_O in content.option_NO.tolist()]
        for name, content in questions.items()
    }
    images = {task.name: np.unique(task.media_N, return_inverse=True)[1] for task in tasks if task.name in questions}
    keys = {
        name: hashlib.sha256(
            json.dumps([options[name], content.answer_N.tolist(), images[name].tolist()]).encode()
        ).hexdigest()
        for name, content in questions.items()
    }
    cache = CreditCache(cache_dir)
    credits_by_task: dict[str, dict[str, np.ndarray]] = {}
    for name, content in questions.items():
        option_count = content.option_NO.shape[1]
        others = [other for other in questions if other != name and questions[other].option_NO.shape[1] == option_count]
        rules = RULES if option_count == 4 else {}
        parts = 1 + len(others) + len(rules)  # each takes about as long
        with track_progress(parts, f"scoring the texts of {name}", progress) as advance:
            fit = partial(cross_validated_credit, options[name], content.answer_N, images[name])
            credits = {"text_only": cache.get(["own", fit_settings(), keys[name]], fit)}
            advance(1)
            for other in others:
                fitted_on = options[other], questions[other].answer_N
                fit = partial(transfer_credit, *fitted_on, options[name], content.answer_N)
                determined_by = ["other", fit_settings(), keys[other], keys[name]]
                credits[f"text_only_from_{other}"] = cache.get(determined_by, fit)
                advance(1)
            for rule_name, rule in rules.items():
                credits[rule_name] = rule_credit(rule, options[name], content.answer_N)
                advance(1)
        credits_by_task[name] = {scorer: credit_N for scorer, credit_N in credits.items() if credit_N is not None}
    return credits_by_task


def text_remarks(task: Task, credits: Mapping[str, np.ndarray]) -> list[str]:
    """What a reader of a task's text-only figures must know; credits are the task's, from `text_credits`."""
    remark = fit_remark(len(task.id_N)) if "text_only" in credits else ""
    return [f"text_only: {remark}"] if remark else []
