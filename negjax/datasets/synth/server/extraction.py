"""What captions name and deny, by a language model: requests of stage extract, and what counts of the answers."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from negjax.datasets.synth.server.json_shapes import texts
from negjax.datasets.synth.server.prompts import PromptRequest, asked_of, read_prompt
from negjax.synthesis.extract import MAX_CHARACTERS, Extracted, extract
from negjax.synthesis.named import Named, check_names

if TYPE_CHECKING:
    from negjax.datasets.synth.server.language_server import LanguageServer

CAPTIONS_PER_REQUEST = 10
NAMES_PER_CAPTION = 40


class ServerExtractor:
    """Reads captions as `negjax.synthesis.extract` does. Captions without a usable answer are read by that."""

    fallback = "their captions were read by the word list"

    def __init__(self, server: "LanguageServer"):
        self._server = server
        self.settings = {"server": asked_of(server.settings, "extract")}

    def extract(self, images: Sequence[Sequence[str]]) -> list[list[Extracted]]:
        """What each caption of each image names."""
        requests = [request for captions in images for request in extraction_requests(captions)]
        found: dict[str, Named] = {}
        for request, answer in zip(requests, self._server.ask(requests, read_extraction)):
            found |= zip(request.values["captions"], answer or ())
        return [
            [check_names(text, found[text]) if text in found else extract(text) for text in captions]
            for captions in images
        ]


def extraction_requests(captions: Sequence[str]) -> Iterator[PromptRequest]:
    """The requests about the captions of an image; empty captions and those that are too long are not sent."""
    sent = [caption for caption in captions if caption.strip() and len(caption) <= MAX_CHARACTERS]
    for start in range(0, len(sent), CAPTIONS_PER_REQUEST):
        part = sent[start : start + CAPTIONS_PER_REQUEST]
        yield PromptRequest(read_prompt("extract"), {"captions": part, "number": len(part)}, name=f"{part[0][:60]!r}")


def read_extraction(request: PromptRequest, value: Any) -> list[Named]:
    """What the answer says of each caption; raises ValueError if it does not say it of each."""
    captions = request.values["captions"]
    entries = value.get("captions")
    if not isinstance(entries, list) or len(entries) != len(captions):
        raise ValueError(f"not a list of {len(captions)} captions")
    return [Named(*(texts(entry, name, NAMES_PER_CAPTION) for name in ("present", "denied"))) for entry in entries]
