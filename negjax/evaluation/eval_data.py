"""The data of an evaluation, independent of the model: tasks over shared images, clips and captions.

The same `EvalData` serves any number of models with the same preprocessing, as in training. Captions stay text here:
they are tokenised where they are embedded.
Shapes: N rows of a set, X texts, U texts of distinct token ids, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from negjax.evaluation.media import DistinctMedia, Origin
from negjax.tokenizers import AnyTokenizer


@dataclass
class Task:
    """A set to score.

    Attributes:
        name: name of the set.
        kind: a key of `task_kinds.TASK_KINDS`.
        negated: whether its texts are negated.
        id_N: the rows' ids.
        group_N: the rows' groups.
        media_N: the image or clip of each row: an index into the distinct images, followed by the distinct clips.
        content: the rows as the kind's `read` returns them.
        provenance: where the data come from, for results.json.
    """

    name: str
    kind: str
    negated: bool
    id_N: np.ndarray
    group_N: np.ndarray
    media_N: np.ndarray
    content: Any
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenRows:
    """Texts as a model reads them.

    Attributes:
        tokenizer: the tokenizer of the ids.
        texts: the texts.
        token_UT: the distinct rows of token ids, int32.
        index_X: the row of each text.
    """

    tokenizer: AnyTokenizer
    texts: Sequence[str]
    token_UT: np.ndarray
    index_X: np.ndarray


@dataclass
class EvalData:
    """Tasks over shared media and captions.

    Attributes:
        tasks: the sets to score.
        images: the distinct images of all tasks.
        clips: the distinct clips of all tasks.
        captions: the distinct caption texts of all tasks.
        caption_origins: where each caption first occurs.
        text_credits: task -> scorer that reads only texts -> credits; see `blind.text_credits`.
        tokens: the texts that were embedded last, kept because in training the next model embeds the same.
    """

    tasks: list[Task]
    images: DistinctMedia
    clips: DistinctMedia
    captions: list[str]
    caption_origins: list[Origin]
    text_credits: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    tokens: TokenRows | None = None

    def task(self, name: str) -> Task:
        """The task of this name, which must be one of `tasks`."""
        (task,) = (task for task in self.tasks if task.name == name)
        return task
