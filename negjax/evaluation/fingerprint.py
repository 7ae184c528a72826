"""What was asked, as two sums of a set: one over its questions, one over its media.

Results of one task can be compared where both are equal, whatever the file, the folder or the machine of the sets.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.task_kinds import TASK_KINDS
from negjax.errors import NegjaxError

ASKED = {  # field -> its columns that an evaluation reads
    "captions": ("captions",),
    "question": ("options", "answer", "kind", "option_kinds"),
    "label": ("label",),
    "objects": ("positive_objects",),
}
UNKNOWN = "same set unknown"


class SetFingerprint:
    """Adds up the rows of a set, in order; its media are hashed, not taken from the column `media_sha256`."""

    def __init__(self, data: StoredSet):
        entry = TASK_KINDS[data.metadata["task_kind"]]
        self._set_name = data.name
        self._columns = [name for field in entry.fields if field in data.fields for name in ASKED[field]]
        stated = {name: data.metadata.get(name) for name in entry.metadata}
        self._questions = hashlib.sha256(json.dumps(stated, sort_keys=True).encode())
        self._media = hashlib.sha256()

    def add(self, row: Record) -> None:
        """Adds a row with its media.

        Raises:
            NegjaxError: the row's media are not those that its `media_sha256` was computed of. Embeddings are cached
                and pictures are shared under that sum, so a wrong one would give one picture the scores of another.
        """
        media = hashlib.sha256(row["media"]).hexdigest()
        if media != row["media_sha256"]:
            raise NegjaxError(
                f"set {self._set_name}, row {row['id']} is damaged (its media are not those of its media_sha256): "
                "build the set again"
            )
        asked = [row["id"], row["group"], *(row[name] for name in self._columns)]
        self._questions.update(json.dumps(asked).encode())
        self._media.update(media.encode())

    def sums(self) -> dict[str, str]:
        """The sums as results.json has them."""
        return {"questions": self._questions.hexdigest(), "media": self._media.hexdigest()}


def set_difference(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """How the sets of two results of a task differ.

    Args:
        first: The task in a results.json.
        other: The task in another one.

    Returns:
        "" for equal sets; "other questions" (texts, answers, kinds or groups), "other media" or both; UNKNOWN where one
        does not record its set.
    """
    if not (first.get("set") and other.get("set")):
        return UNKNOWN
    differing = [name for name in ("questions", "media") if first["set"].get(name) != other["set"].get(name)]
    return f"other {' and '.join(differing)}" if differing else ""
