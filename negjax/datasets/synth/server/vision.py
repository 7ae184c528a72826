"""Whether objects are in pictures, by a vision-language model: requests of stage verify."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import MediaFile
from negjax.datasets.synth.server.prompts import PromptRequest, asked_of, read_prompt
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.datasets.synth.shards import StageRow
from negjax.datasets.synth.verify import Verdict, claimed_names
from negjax.errors import NegjaxError

if TYPE_CHECKING:
    from negjax.datasets.synth.server.language_server import LanguageServer

Seen = Literal["yes", "no", "unsure"]
OBJECTS_PER_REQUEST = 16


class ServerVerifier:
    """Asks about each object of an image.

    An absent object stays only if the answer is no: "yes", "unsure" and no usable answer refute it. A present one is
    refuted by "no".

    Args:
        server: is asked.
        media: where the images are.
        skip_missing: whether an image that is missing has no usable answers instead of being an error.
    """

    fallback = (
        "the absent objects that they ask about were left out, and the present ones kept"  # what has no usable answer
    )

    def __init__(self, server: "LanguageServer", media: MediaRoot, skip_missing: bool = False):
        self._server, self._media, self._skip_missing = server, media, skip_missing
        self.name = f"{server.settings.model}, asked about each picture"
        self.settings = verify_settings(server.settings)

    def check(self, rows: Sequence[StageRow]) -> list[Verdict]:
        """See `negjax.datasets.synth.verify.Verifier`."""
        requests = [list(vision_requests(row, self._media, self._skip_missing)) for row in rows]
        answers = iter(self._server.ask([request for part in requests for request in part], read_seen))
        verdicts = []
        for row, part in zip(rows, requests):
            seen: dict[str, Seen] = {}
            for answer in (next(answers) for _ in part):
                seen |= answer or {}
            present = {name for name in row["positive_objects"] if seen.get(name) == "no"}
            verdicts.append(Verdict(present | {name for name in row["negative_objects"] if seen.get(name) != "no"}))
        return verdicts


def verify_settings(settings: ServerSettings) -> dict[str, Any]:
    """What the rows of the stage depend on, beside their input."""
    return {"server": asked_of(settings, "verify")}


def vision_requests(row: StageRow, media: MediaRoot, skip_missing: bool) -> Iterator[PromptRequest]:
    """The requests about a row of stage propose.

    Raises:
        NegjaxError: the image is missing, and is not to be skipped.
    """
    picture = media.find(row["filepath"])
    if picture is None:
        if skip_missing:
            return
        raise NegjaxError(
            f"{row['filepath']} is not below {media.root}: correct --media-root, or leave such images out with "
            "--skip-missing"
        )
    yield from objects_requests(row, picture)


def objects_requests(row: StageRow, picture: MediaFile) -> Iterator[PromptRequest]:
    """The requests about the objects of a row."""
    names = claimed_names(row)
    for start in range(0, len(names), OBJECTS_PER_REQUEST):
        part = names[start : start + OBJECTS_PER_REQUEST]
        yield PromptRequest(read_prompt("verify"), {"objects": part, "number": len(part)}, picture, row["filepath"])


def read_seen(request: PromptRequest, value: Any) -> dict[str, Seen]:
    """Object -> whether it is seen; raises ValueError if the answer does not say it of each."""
    names = request.values["objects"]
    entries = value.get("answers")
    if not isinstance(entries, list) or len(entries) > 2 * len(names):
        raise ValueError(f"no list of {len(names)} answers")
    seen: dict[str, Seen] = {}
    for entry in entries:
        name, answer = (entry.get("object"), entry.get("seen")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or name not in names or answer not in ("yes", "no", "unsure"):
            raise ValueError("an answer is about no object of the list, or neither yes, no nor unsure")
        seen[name] = answer if seen.get(name, answer) == answer else "unsure"
    if missing := [name for name in names if name not in seen]:
        raise ValueError(f"no answer about {missing[0]}")
    return seen
