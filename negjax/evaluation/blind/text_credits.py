"""Credits of scorers that read only the options, on each task with questions; no model is involved."""

from collections.abc import Mapping, Sequence

import numpy as np

from negjax.evaluation.blind.rules import RULES, rule_credit
from negjax.evaluation.blind.text_only import cross_validated_credit, fit_remark, transfer_credit
from negjax.evaluation.eval_data import Task
from negjax.evaluation.tasks.kind import task_kind
from negjax.runtime.progress import track_progress


def text_credits(
    tasks: Sequence[Task], captions: Sequence[str], progress: bool = False
) -> dict[str, dict[str, np.ndarray]]:
    """Credits of all scorers that read only texts; see `text_remarks`.

    Args:
        tasks: the tasks; those without questions are skipped.
        captions: the distinct captions that the tasks' contents refer to.
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
    images = {task.name: task.media_N for task in tasks}
    credits_by_task: dict[str, dict[str, np.ndarray]] = {}
    for name, content in questions.items():
        option_count = content.option_NO.shape[1]
        others = [other for other in questions if other != name and questions[other].option_NO.shape[1] == option_count]
        rules = RULES if option_count == 4 else {}
        parts = 1 + len(others) + len(rules)  # each takes about as long
        with track_progress(parts, f"scoring the texts of {name}", progress) as advance:
            credits = {"text_only": cross_validated_credit(options[name], content.answer_N, images[name])}
            advance(1)
            for other in others:
                credits[f"text_only_from_{other}"] = transfer_credit(
                    options[other], questions[other].answer_N, options[name], content.answer_N
                )
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
