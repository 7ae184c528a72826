"""Absent objects that a language model expects in an image: requests of stage propose."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from negjax.datasets.synth.server.json_shapes import texts
from negjax.datasets.synth.server.prompts import PromptRequest, asked_of, read_prompt
from negjax.datasets.synth.shards import StageRow

if TYPE_CHECKING:
    from negjax.datasets.synth.server.language_server import LanguageServer

COUNT = 12  # objects that are asked for
_MOST = 20  # that are taken of an answer
_CAPTIONS = 10  # of an image, that are sent
_CHARACTERS = 500  # of a caption


class ServerSuggester:
    """Suggests absent objects; `negjax.synthesis.suggested` decides which of them may be denied."""

    fallback = "their absent objects are those of what occurs together, alone"

    def __init__(self, server: "LanguageServer"):
        self._server = server
        self.settings = {"server": asked_of(server.settings, "propose")}

    def suggest(self, rows: Sequence[StageRow]) -> list[tuple[str, ...]]:
        """The suggestions for each row of stage extract, the likeliest first; none without a usable answer."""
        asked = [row for row in rows if may_be_asked(row)]
        answers = self._server.ask([proposal_request(row) for row in asked], read_proposals)
        suggested = {row["id"]: answer or () for row, answer in zip(asked, answers)}
        return [suggested.get(row["id"], ()) for row in rows]


def may_be_asked(row: StageRow) -> bool:
    """Whether it is known what an image shows."""
    return not row["remark"] and bool(row["positive_objects"])


def proposal_request(row: StageRow) -> PromptRequest:
    """The request about a row of stage extract."""
    captions = [caption[:_CHARACTERS] for caption in row["captions"][:_CAPTIONS]]
    values = {"captions": captions, "objects": row["positive_objects"], "count": COUNT}
    return PromptRequest(read_prompt("propose"), values, name=row["filepath"])


def read_proposals(request: PromptRequest, value: Any) -> tuple[str, ...]:
    """The names in an answer; raises ValueError if it has none."""
    return texts(value, "absent", _MOST)
