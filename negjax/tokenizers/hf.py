"""Tokenizers other than CLIP's: a tokenizer.json, with the same ids as in open_clip and transformers.

SigLIP, SigLIP 2, CLIPA and the worldwide models bring a `tokenizer.json`, which the `tokenizers` library runs. What
their loaders do around it is done here: cleaning, padding and truncation. `negjax.tokenizers.hf_folder` reads a folder.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from negjax.errors import NegjaxError
from negjax.tokenizers.cleaning import OPEN_CLIP_CLEANINGS, clean_siglip
from negjax.tokenizers.sentencepiece import read_replacements

HF_KIND = "hf"
SIDES = {"right", "left"}
# Parts of a tokenizer.json without which the library reads it, too.
_OPTIONAL_PARTS = (
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
)
_SENTINEL = re.compile(r"▁?<extra_id_\d+>")


@dataclass
class HFTokenizer:
    """Texts to rows of ids by a tokenizer.json, as open_clip and transformers make them.

    A special token of the vocabulary that is written out in a text, and that cleaning leaves intact, is read as that
    token.

    Attributes:
        tokenizer_json: the text of the file.
        context_length: number of ids of a row.
        clean: how a text is cleaned first: open_clip's "lower", "whitespace" or "canonicalize"; "siglip" and
            "siglip-cased" for what transformers' SiglipTokenizer does; two of them joined by "+"; "" for nothing.
        pad_id: the id of padding.
        strip_id: an id that is replaced by 0 (CLIPA's [SEP]).
        pad_side: "right" or "left".
        truncation_side: "right" or "left".

    Raises:
        NegjaxError: tokenizer_json is malformed, or a cleaning or side is unknown.
    """

    tokenizer_json: str = field(repr=False)
    context_length: int
    clean: str = field(default="whitespace", kw_only=True)
    pad_id: int = field(default=0, kw_only=True)
    strip_id: int | None = field(default=None, kw_only=True)
    pad_side: str = field(default="right", kw_only=True)
    truncation_side: str = field(default="right", kw_only=True)

    def __post_init__(self) -> None:
        if unknown := {self.pad_side, self.truncation_side} - SIDES:
            raise NegjaxError(f"unknown side {unknown.pop()!r} to pad or truncate on; choose one of right, left")
        for name, token_id in (("pad_id", self.pad_id), ("strip_id", self.strip_id or 0)):
            if type(token_id) is not int or token_id < 0:
                raise NegjaxError(f"{name} is {token_id!r}: it must be a token id")
        self._tokenizer = _load_backend(self.tokenizer_json)
        cleanings = dict(OPEN_CLIP_CLEANINGS)
        if "siglip" in self.clean:
            self._tokenizer.normalizer = None  # the cleaning does it, as sentencepiece does
            replace = read_replacements(self.tokenizer_json)
            cleanings["siglip"] = lambda text: clean_siglip(text.lower(), replace)
            cleanings["siglip-cased"] = lambda text: clean_siglip(text, replace)
        if unknown := set(self.cleanings) - cleanings.keys():
            raise NegjaxError(
                f"unknown cleaning of texts {unknown.pop()!r}; choose one of lower, whitespace, canonicalize, siglip, "
                "siglip-cased"
            )
        self._cleanings = [cleanings[name] for name in self.cleanings]

    @property
    def vocab_size(self) -> int:
        """One more than the largest id that a row may have: T5's sentinels (<extra_id_0>) are in no caption.

        The special tokens that surround every text have ids of their own in a tokenizer.json.
        """
        entries = self._tokenizer.get_vocab(with_added_tokens=True)
        special_ids = self._tokenizer.encode("").ids
        return 1 + max(
            [self.pad_id, *special_ids, *(i for entry, i in entries.items() if not _SENTINEL.fullmatch(entry))]
        )

    @property
    def cleanings(self) -> list[str]:
        """The names in `clean`, in their order."""
        return [name for name in self.clean.split("+") if name]

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> np.ndarray:
        """Tokenizes texts.

        Args:
            texts: N texts.
            context_length: T; that of the tokenizer by default.

        Returns:
            int32 [N, T]. A longer text is truncated and keeps its special tokens.
        """
        length = context_length or self.context_length
        ids_NT = np.full((len(texts), length), self.pad_id, np.int32)
        cleaned_texts = [self._clean(text) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(cleaned_texts)
        for row, text, encoding in zip(ids_NT, cleaned_texts, encodings):
            ids = encoding.ids if len(encoding.ids) <= length else self._encode_truncated(text, length)
            start = 0 if self.pad_side == "right" else length - len(ids)
            row[start : start + len(ids)] = ids
        if self.strip_id is not None:
            ids_NT[ids_NT == self.strip_id] = 0
        return ids_NT

    def token(self, token_id: int) -> str:
        """Returns the entry of the vocabulary with this id."""
        return self._tokenizer.id_to_token(token_id)

    def token_id(self, token: str) -> int | None:
        """Returns the id of an entry of the vocabulary, None if there is no such entry."""
        return self._tokenizer.token_to_id(token)

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields, JSON-able; `from_dict` is the inverse."""
        return {"kind": HF_KIND, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "HFTokenizer":
        """Returns the tokenizer of a `to_dict`.

        Raises:
            NegjaxError: `data` is anything else.
        """
        if not isinstance(data, dict) or data.get("kind") != HF_KIND:
            raise NegjaxError(f'the tokenizer is not of the kind "{HF_KIND}": copy the checkpoint again')
        try:
            return cls(**{key: value for key, value in data.items() if key != "kind"})
        except (TypeError, AttributeError) as error:
            raise NegjaxError(f'the tokenizer of the kind "{HF_KIND}" is malformed: {error}') from error

    def __reduce__(self) -> tuple[Callable[..., "HFTokenizer"], tuple[dict[str, Any]]]:
        return HFTokenizer.from_dict, (self.to_dict(),)

    def _clean(self, text: str) -> str:
        for cleaning in self._cleanings:
            text = cleaning(text)
        return text

    def _encode_truncated(self, text: str, length: int) -> list[int]:
        """The ids of a text that is too long, truncated before its special tokens are added."""
        room = length - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        if room < 0:
            raise NegjaxError(f"a context length of {length} has no room for the special tokens of this tokenizer")
        # The library's own truncation is a setting of the tokenizer, which threads share.
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(room, direction=self.truncation_side)
        return self._tokenizer.post_process(encoding).ids


def _load_backend(tokenizer_json: str) -> Any:
    """The tokenizer of the tokenizers library, without padding and truncation."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise NegjaxError("the tokenizer of this model needs the tokenizers library: pip install tokenizers") from error
    try:
        return _parse(Tokenizer, tokenizer_json)
    except (TypeError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library has no exception of its own, and its panics are no Exception
        part = _unreadable_part(Tokenizer, tokenizer_json)
        raise NegjaxError(f"the tokenizers library cannot read {part}: {error}") from error


def _parse(tokenizer_class: Any, tokenizer_json: str) -> Any:
    tokenizer = tokenizer_class.from_str(tokenizer_json)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_batch_fast(["a photo", ""])  # some faults show only in use
    return tokenizer


def _unreadable_part(tokenizer_class: Any, tokenizer_json: str) -> str:
    """For an error, the part of a tokenizer.json without which the library can read the rest."""
    try:
        content = dict(json.loads(tokenizer_json))
    except (TypeError, ValueError, RecursionError):
        return "this tokenizer.json"
    for part in _OPTIONAL_PARTS:
        try:
            _parse(tokenizer_class, json.dumps({key: value for key, value in content.items() if key != part}))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # as above
            continue
        return f"the {part} of this tokenizer.json"
    return "the model of this tokenizer.json"
