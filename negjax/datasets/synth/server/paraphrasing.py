"""Sentences of this project in other words, by a language model: requests of stage write."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from negjax.datasets.derive.rows import DerivedRows
from negjax.datasets.records import Record
from negjax.datasets.synth.server.prompts import PromptRequest, asked_of, read_prompt
from negjax.synthesis.paraphrase import MAX_LENGTH, name_forms, says_the_same

if TYPE_CHECKING:
    from negjax.datasets.synth.server.language_server import LanguageServer

_CHUNK = 2_000  # sentences that are asked about at a time
# Columns of texts that this project wrote; "captions" are where a set's captions are negated ones.
_WRITTEN = ("options", "negated_captions")


class Paraphraser:
    """Puts the sentences of derived sets into other words, as far as each object and negation survives."""

    fallback = "these sentences stay as the patterns made them"

    def __init__(self, server: "LanguageServer"):
        self._server = server
        self.settings = {"paraphrase": asked_of(server.settings, "paraphrase")}
        self.changed = self.kept = 0

    def describe(self) -> list[str]:
        """What became of the answers, for the user."""
        same = "stay as the patterns made them, because the answer says something else"
        return [f"  {self.changed:,} sentences are in other words, and {self.kept:,} {same}"]

    def rewrite(self, derived: DerivedRows, names: Sequence[str]) -> DerivedRows:
        """The rows with other sentences; one text is the same wherever it stands.

        Args:
            derived: the rows of a set.
            names: all objects that its sentences may speak of.
        """
        forms = name_forms(names)
        words: dict[str, str] = {}
        sentences = sentences_of(derived)
        for start in range(0, len(sentences), _CHUNK):
            part = sentences[start : start + _CHUNK]
            answers = self._server.ask([paraphrase_request(sentence) for sentence in part], read_paraphrase)
            for sentence, answer in zip(part, answers):
                if answer is not None and answer != sentence:
                    same = says_the_same(sentence, answer, forms)
                    self.changed, self.kept = self.changed + same, self.kept + (not same)
                    words |= {sentence: answer} if same else {}
        rows = [(image, record | _in_words(record, derived, words)) for image, record in derived.rows]
        return replace(derived, rows=rows)


def sentences_of(derived: DerivedRows) -> list[str]:
    """The different sentences of a set that may be rewritten."""
    columns = _columns(derived)
    texts = (text for _, record in derived.rows for column in columns for text in record.get(column, ()))
    return [text for text in dict.fromkeys(texts) if text.strip() and len(text) <= MAX_LENGTH]


def paraphrase_request(sentence: str) -> PromptRequest:
    """The request about a sentence."""
    return PromptRequest(read_prompt("paraphrase"), {"sentence": sentence}, name=f"{sentence[:60]!r}")


def read_paraphrase(request: PromptRequest, value: Any) -> str:
    """The sentence in an answer; raises ValueError if it has none."""
    sentence = value.get("sentence")
    if not isinstance(sentence, str) or not sentence.strip() or len(sentence) > 2 * MAX_LENGTH:
        raise ValueError("'sentence' is no text, or too long")
    return sentence.strip()


def _columns(derived: DerivedRows) -> Sequence[str]:
    """The columns with sentences of this project; captions stay as people wrote them."""
    is_negated_captions = "negated_captions" not in derived.fields and derived.metadata.get("negated")
    return (*_WRITTEN, "captions") if is_negated_captions else _WRITTEN


def _in_words(record: Record, derived: DerivedRows, words: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        column: [words.get(text, text) for text in record[column]] for column in _columns(derived) if column in record
    }
