"""Tokenizers other than CLIP's, from a Hugging Face folder: the ids that open_clip and transformers make of a text.

SigLIP, SigLIP 2, CLIPA and the worldwide models bring a `tokenizer.json`, which the `tokenizers` library runs. What
their loaders do around it is done here: cleaning, padding, truncation, and what a class of transformers overrides.
"""

import base64
import json
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.tokenizers import clip

KIND = "hf"
SPACE = "▁"  # how sentencepiece writes one
_PUNCTUATION = str.maketrans("", "", string.punctuation)

# What transformers takes where a folder does not say, by the class's name without its "Fast".
_PAD = {"SiglipTokenizer": "</s>", "BertTokenizer": "[PAD]"}
_PAD_SIDE = {"GemmaTokenizer": "left", "Siglip2Tokenizer": "left"}
_SEPARATOR = {"BertTokenizer": "[SEP]", "XLMRobertaTokenizer": "</s>"}


@dataclass
class HFTokenizer:
    """Texts to rows of `context_length` ids by a tokenizer.json, as open_clip and transformers make them.

    clean: what a text goes through first, open_clip's "lower", "whitespace" or "canonicalize", or "siglip" and
    "siglip-cased" for what transformers' SiglipTokenizer does; two of them joined by "+"; "" for nothing.
    strip_id: an id that becomes 0 (CLIPA's [SEP]). pad_side, truncation_side: "right" or "left".
    A special token of the vocabulary that is written out in a text, and that cleaning leaves whole, is taken for one.
    Raises NegjaxError for a tokenizer.json that cannot be read, an unknown cleaning or side.
    """

    tokenizer_json: str = field(repr=False)
    context_length: int
    clean: str = field(default="whitespace", kw_only=True)
    pad_id: int = field(default=0, kw_only=True)
    strip_id: int | None = field(default=None, kw_only=True)
    pad_side: str = field(default="right", kw_only=True)
    truncation_side: str = field(default="right", kw_only=True)

    def __post_init__(self) -> None:
        if wrong := {self.pad_side, self.truncation_side} - {"right", "left"}:
            raise NegjaxError(f"a tokenizer pads and truncates on the right or the left, not {wrong.pop()!r}")
        self._tokenizer = _backend(self.tokenizer_json)
        cleanings = {"lower": clip.clean, "whitespace": _whitespace, "canonicalize": _canonicalize}
        if "siglip" in self.clean:
            self._tokenizer.normalizer = None  # the cleaning does what this would do, as sentencepiece does it
            replace = _replacer(self.tokenizer_json)
            cleanings["siglip"] = lambda text: _siglip(text.lower(), replace)
            cleanings["siglip-cased"] = lambda text: _siglip(text, replace)
        if wrong := set(filter(None, self.clean.split("+"))) - cleanings.keys():
            raise NegjaxError(f"{wrong.pop()!r} is no cleaning of texts: see HFTokenizer for those there are")
        self._steps = [cleanings[step] for step in self.clean.split("+") if step]

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> np.ndarray:
        """Token ids, int32 [N, T], T = context_length; a longer text is cut and keeps its special tokens."""
        length = context_length or self.context_length
        ids_NT = np.full((len(texts), length), self.pad_id, np.int32)
        cleaned = [self._cleaned(text) for text in texts]
        for row, text, encoding in zip(ids_NT, cleaned, self._tokenizer.encode_batch_fast(cleaned)):
            ids = encoding.ids if len(encoding.ids) <= length else self._cut(text, length)
            first = 0 if self.pad_side == "right" else length - len(ids)
            row[first : first + len(ids)] = ids
        if self.strip_id is not None:
            ids_NT[ids_NT == self.strip_id] = 0
        return ids_NT

    def _cleaned(self, text: str) -> str:
        for step in self._steps:
            text = step(text)
        return text

    def _cut(self, text: str, length: int) -> list[int]:
        """The ids of a text that is too long, cut before its special tokens are added."""
        room = length - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        if room < 0:
            raise NegjaxError(f"a context length of {length} has no room for the special tokens of this tokenizer")
        # Not by the library's own truncation: that is a setting of the tokenizer, which threads share.
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(room, direction=self.truncation_side)
        return self._tokenizer.post_process(encoding).ids

    def token(self, number: int) -> str:
        """The entry of the vocabulary with this id."""
        return self._tokenizer.id_to_token(number)

    def to_dict(self) -> dict[str, Any]:
        """All that makes this tokenizer, JSON-able; `from_dict` makes it again."""
        return {"kind": KIND, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "HFTokenizer":
        """The tokenizer of a `to_dict`; NegjaxError for anything else."""
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise NegjaxError(f'this is not a tokenizer of the kind "{KIND}" as negjax writes it')
        try:
            return cls(**{key: value for key, value in data.items() if key != "kind"})
        except (TypeError, AttributeError) as error:
            raise NegjaxError(f'this tokenizer of the kind "{KIND}" is not as negjax writes it: {error}') from error

    def __reduce__(self) -> tuple[Callable[..., "HFTokenizer"], tuple[dict[str, Any]]]:
        return HFTokenizer.from_dict, (self.to_dict(),)


AnyTokenizer = clip.Tokenizer | HFTokenizer


def tokenizer_from_dict(data: dict[str, Any], context_length: int) -> AnyTokenizer:
    """The tokenizer that a checkpoint names, {"kind": "clip"} or a `HFTokenizer.to_dict`, for `context_length` ids.

    Raises NegjaxError for another kind.
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == clip.NAME:
        return clip.Tokenizer(context_length)
    if kind == KIND:
        return HFTokenizer.from_dict({**data, "context_length": context_length})
    raise NegjaxError(f"{kind!r} is no kind of tokenizer that this version of negjax knows ({clip.NAME}, {KIND})")


def read_tokenizer(
    folder: epath.PathLike, context_length: int, *, clean: str | None = None, strip_sep: bool | None = None
) -> HFTokenizer:
    """The tokenizer of a Hugging Face folder, for rows of `context_length` ids.

    By default the ids are those of the tokenizer class that transformers takes for the folder: SiglipTokenizer cleans
    in its own way, Siglip2Tokenizer lower-cases, any other takes a text as it is. That includes GemmaTokenizer, which
    the folders of SigLIP 2 at one fixed size name, although lower case is what they were trained on.
    For a model with an open_clip config pass `clean` and `strip_sep_token` of its tokenizer_kwargs ("whitespace" and
    False where it has none): open_clip cleans a text before the class does.
    Raises NegjaxError when a file is missing or broken, or when a special token that is needed is not in it.
    """
    folder = epath.Path(folder)
    config, model_type = _object(folder / "tokenizer_config.json"), _object(folder / "config.json").get("model_type")
    if "added_tokens_decoder" not in config:
        config |= _object(folder / "special_tokens_map.json")
    name = config.get("tokenizer_class") or ("SiglipTokenizer" if model_type == "siglip" else "")
    # transformers does not believe these folders, which name Gemma's class.
    name = "Siglip2Tokenizer" if model_type == "siglip2" else name.removesuffix("Fast")

    path = folder / "tokenizer.json"
    if not path.exists():
        raise NegjaxError(_how_to_make(path, name))
    tokenizer = _object(path)
    _set_as_class_does(tokenizer, name, config)
    padding, truncation = tokenizer.get("padding") or {}, tokenizer.get("truncation") or {}
    ids = _ids(tokenizer, path)

    def id_of(key: str, default: str | None) -> int:
        token = config.get(key) or padding.get(key) or default
        token = token["content"] if isinstance(token, dict) else token
        if token not in ids:
            raise NegjaxError(f"{path} has no {key} {token!r}: set {key} in tokenizer_config.json")
        return ids[token]

    own = ("siglip" if config.get("do_lower_case", True) else "siglip-cased") if name == "SiglipTokenizer" else ""
    return HFTokenizer(
        json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")),
        context_length,
        clean="+".join(filter(None, (clean, own))),
        pad_id=id_of("pad_token", _PAD.get(name, "<pad>")),
        strip_id=id_of("sep_token", _SEPARATOR.get(name)) if strip_sep else None,
        pad_side=config.get("padding_side") or padding.get("direction", _PAD_SIDE.get(name, "right")).lower(),
        truncation_side=config.get("truncation_side") or truncation.get("direction", "right").lower(),
    )


def _object(path: epath.Path) -> dict[str, Any]:
    """The object that a JSON file holds, an empty one where there is no file."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise NegjaxError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise NegjaxError(f"{path} holds no JSON object")
    return data


def _how_to_make(path: epath.Path, name: str) -> str:
    call = f"AutoTokenizer.from_pretrained(NAME).save_pretrained({str(path.parent)!r})"
    if name == "SiglipTokenizer":  # which transformers saves without one
        call = f"T5Tokenizer.from_pretrained({str(path.parent)!r}, extra_ids=0).backend_tokenizer.save({str(path)!r})"
    return f"{path.parent} has no tokenizer.json: transformers makes one by {call}"


def _ids(tokenizer: dict[str, Any], path: epath.Path) -> dict[str, int]:
    """The id of each entry of a tokenizer.json."""
    try:
        entries = tokenizer["model"]["vocab"]
        pieces = entries if isinstance(entries, dict) else {piece: i for i, (piece, _) in enumerate(entries)}
        return pieces | {added["content"]: added["id"] for added in tokenizer.get("added_tokens", [])}
    except (KeyError, TypeError, ValueError) as error:
        raise NegjaxError(f"{path} is not a tokenizer of the tokenizers library") from error


def _set_as_class_does(tokenizer: dict[str, Any], name: str, config: dict[str, Any]) -> None:
    """Changes what a class of transformers sets itself, whatever its tokenizer.json says (older ones say otherwise)."""
    parts = _parts(tokenizer.get("normalizer"))
    if name == "BertTokenizer":
        tokenizer["normalizer"] = {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
            "strip_accents": config.get("strip_accents"),
            "lowercase": config.get("do_lower_case", True),
        }
    elif name == "Siglip2Tokenizer":
        tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *parts]}
    elif name in ("SiglipTokenizer", "T5Tokenizer", "XLMRobertaTokenizer"):
        tokenizer["normalizer"] = next((part for part in parts if part.get("type") == "Precompiled"), None)
        words = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
        tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, words]}


def _parts(normalizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    return normalizer.get("normalizers", [normalizer]) if normalizer else []


def _backend(tokenizer_json: str) -> Any:
    """The tokenizer of the tokenizers library, without padding and truncation."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise NegjaxError("the tokenizer of this model needs the tokenizers library: pip install tokenizers") from error
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except TypeError:
        raise
    except Exception as error:  # the library has no class of its own for it
        raise NegjaxError(f"the tokenizers library cannot read this tokenizer.json: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _whitespace(text: str) -> str:
    """open_clip's: mended, single spaces."""
    return " ".join(clip.mended(text).split())


def _canonicalize(text: str) -> str:
    """open_clip's, after big_vision's: mended, no ASCII punctuation, lower case, single spaces."""
    return " ".join(clip.mended(text).replace("_", " ").translate(_PUNCTUATION).lower().split())


def _siglip(text: str, replace: Callable[[str], str]) -> str:
    """transformers' SiglipTokenizer: no ASCII punctuation, single spaces, then sentencepiece's replacements.

    The space put in front stands for the one that sentencepiece adds to every text; SiglipTokenizer adds it before it
    cleans, so that a text which then starts with a space of its own has two.
    """
    text = (SPACE + text.replace(SPACE, " ")).translate(_PUNCTUATION)
    text = replace(re.sub(r"\s+", " ", text).strip())
    return re.sub(" +", " ", text).rstrip(" " + SPACE)


def _replacer(tokenizer_json: str) -> Callable[[str], str]:
    """sentencepiece's replacements (NFKC and more) by a tokenizer.json's table: the longest match at each place.

    tokenizers itself applies the table to whole grapheme clusters and so drops some accents and leaves others apart.
    The table: a uint32 n, n bytes of a trie over UTF-8 as darts-clone packs it in uint32, then the replacements, each
    with a zero byte after it.
    """
    parts = _parts(json.loads(tokenizer_json).get("normalizer"))
    tables = [part["precompiled_charsmap"] for part in parts if part.get("type") == "Precompiled"]
    if not tables:
        return str
    table = base64.b64decode(tables[0])
    size = int.from_bytes(table[:4], "little")
    trie, replacements = np.frombuffer(table, "<u4", size // 4, 4).tolist(), table[4 + size :]

    def children(unit: int) -> int:
        return (unit >> 10) << ((unit & 0x200) >> 6)

    def replace(text: str) -> str:
        data, replaced, at = text.encode(), bytearray(), 0
        while at < len(data):
            end, found, node = at, 0, children(trie[0])
            for i in range(at, len(data)):
                node ^= data[i]
                unit = trie[node]
                if unit & 0x800000FF != data[i]:
                    break
                node ^= children(unit)
                if unit & 0x100:  # a sequence ends here; the first child says where its replacement is
                    end, found = i + 1, trie[node] & 0x7FFFFFFF
            if end == at:
                end += 1
                replaced += data[at:end]
            else:
                replaced += replacements[found : replacements.index(0, found)]
            at = end
        return replaced.decode()

    return replace
