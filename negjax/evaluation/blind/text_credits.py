"""What scorers that read only the options score on each task with questions; no model has a part in it."""

from collections.abc import Sequence

import numpy as np

from negjax.evaluation.blind.rules import RULES, rule_credit
from negjax.evaluation.blind.text_only import cross_validated_credit, transfer_credit
from negjax.evaluation.plan import Questions, Task


def text_credits(tasks: Sequence[Task]) -> dict[str, dict[str, np.ndarray]]:
    """Task -> scorer -> credit of each question [N].

    "text_only" is fitted on the task's own questions about other images; "text_only_from_NAME" on those of the task
    NAME, where it has as many options; the fixed rules are for questions with four options.
    """
    asked = {task.name: task.content for task in tasks if isinstance(task.content, Questions)}
    images = {task.name: task.media_N for task in tasks}
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, questions in asked.items():
        credits = {"text_only": cross_validated_credit(questions.texts, questions.answer_N, images[name])}
        for other, lessons in asked.items():
            if other != name and lessons.option_NO.shape[1] == questions.option_NO.shape[1]:
                credits[f"text_only_from_{other}"] = transfer_credit(
                    lessons.texts, lessons.answer_N, questions.texts, questions.answer_N
                )
        if questions.option_NO.shape[1] == 4:
            credits |= {kind: rule_credit(rule, questions.texts, questions.answer_N) for kind, rule in RULES.items()}
        found[name] = {kind: credit_N for kind, credit_N in credits.items() if credit_N is not None}
    return found
