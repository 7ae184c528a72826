"""Credits of scorers that read only the options, on each task with questions; no model is involved."""

from collections.abc import Sequence

import numpy as np

from negjax.evaluation.blind.rules import RULES, rule_credit
from negjax.evaluation.blind.text_only import cross_validated_credit, transfer_credit
from negjax.evaluation.eval_data import Task
from negjax.evaluation.tasks.kind import task_kind


def text_credits(tasks: Sequence[Task], captions: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Credits of all scorers that read only texts.

    Args:
        tasks: the tasks; those without questions are skipped.
        captions: the distinct captions that the tasks' contents refer to.

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
    images = {task.name: task.media_N for task in tasks}
    credits_by_task: dict[str, dict[str, np.ndarray]] = {}
    for name, content in questions.items():
        credits = {"text_only": cross_validated_credit(options[name], content.answer_N, images[name])}
        for other, other_content in questions.items():
            if other != name and other_content.option_NO.shape[1] == content.option_NO.shape[1]:
                credits[f"text_only_from_{other}"] = transfer_credit(
                    options[other], other_content.answer_N, options[name], content.answer_N
                )
        if content.option_NO.shape[1] == 4:
            for rule_name, rule in RULES.items():
                credits[rule_name] = rule_credit(rule, options[name], content.answer_N)
        credits_by_task[name] = {scorer: credit_N for scorer, credit_N in credits.items() if credit_N is not None}
    return credits_by_task
