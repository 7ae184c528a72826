"""Reads the tokenizer of a Hugging Face folder, with what a tokenizer class of transformers overrides."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from etils import epath

from negjax.errors import NegjaxError, naming_malformed
from negjax.json_values import FLAG, OBJECT, TEXT, Kind, check_values, optional
from negjax.tokenizers.cleaning import SENTENCEPIECE_SPACE
from negjax.tokenizers.hf import SIDES, HFTokenizer
from negjax.tokenizers.sentencepiece import split_normalizer

# Defaults of transformers, by the name of the class without "Fast".
DEFAULT_PAD_TOKENS = {"SiglipTokenizer": "</s>", "BertTokenizer": "[PAD]"}
DEFAULT_PAD_SIDES = {"GemmaTokenizer": "left", "Siglip2Tokenizer": "left"}
DEFAULT_SEPARATORS = {"BertTokenizer": "[SEP]", "XLMRobertaTokenizer": "</s>"}

_METASPACE = {"type": "Metaspace", "replacement": SENTENCEPIECE_SPACE, "prepend_scheme": "always", "split": True}
_SIDE = Kind("right or left", lambda value: isinstance(value, str) and value.lower() in SIDES)
_TOKEN = Kind(
    'a text or an object with the text as "content"',
    lambda value: isinstance(value.get("content") if isinstance(value, dict) else value, str),
)
_CONFIG_KINDS = {  # of tokenizer_config.json and special_tokens_map.json
    "tokenizer_class": optional(TEXT),
    "src_lang": optional(TEXT),
    **dict.fromkeys(("do_lower_case", "tokenize_chinese_chars", "strip_accents", "legacy_behaviour"), optional(FLAG)),
    **dict.fromkeys(("pad_token", "sep_token", "eos_token"), optional(_TOKEN)),
    **dict.fromkeys(("padding_side", "truncation_side"), optional(_SIDE)),
}
_OBJECTS = Kind("a list of objects", lambda value: isinstance(value, list) and all(isinstance(x, dict) for x in value))
_TOKENIZER_KINDS = {  # of what is read in tokenizer.json before the library reads it
    "model": OBJECT,
    **dict.fromkeys(("padding", "truncation", "normalizer"), optional(OBJECT)),
    **dict.fromkeys(("added_tokens", "normalizers"), _OBJECTS),
    "direction": _SIDE,
}

logger = logging.getLogger(__name__)


def read_tokenizer(
    folder: epath.PathLike, context_length: int, *, clean: str | None = None, strip_sep: bool | None = None
) -> HFTokenizer:
    """Reads the tokenizer of a Hugging Face folder.

    By default the ids are those of the tokenizer class that transformers uses for the folder: SiglipTokenizer cleans in
    its own way, Siglip2Tokenizer lower-cases, any other uses a text as it is. One differs: the folders of SigLIP 2 at
    one fixed size name GemmaTokenizer, which keeps capitals. They are read as Siglip2Tokenizer, as those models were
    trained, and a warning says so.

    Args:
        folder: with tokenizer.json, tokenizer_config.json and config.json.
        context_length: number of ids of a row.
        clean: for a model with an open_clip config, `clean` of its tokenizer_kwargs ("whitespace" where it has none):
            open_clip cleans a text before the class does.
        strip_sep: for a model with an open_clip config, `strip_sep_token` of its tokenizer_kwargs.

    Raises:
        NegjaxError: a file is missing or malformed, or a special token that is needed is not in it.
    """
    folder = epath.Path(folder)
    with naming_malformed(f"the tokenizer in {folder}"):
        return _read_tokenizer(folder, context_length, clean, strip_sep)


def _read_tokenizer(folder: epath.Path, context_length: int, clean: str | None, strip_sep: bool | None) -> HFTokenizer:
    config = _read_object(folder / "tokenizer_config.json", _CONFIG_KINDS)
    model_type = _read_object(folder / "config.json").get("model_type")
    if "added_tokens_decoder" not in config:
        config |= _read_object(folder / "special_tokens_map.json", _CONFIG_KINDS)
    class_name = config.get("tokenizer_class") or ("SiglipTokenizer" if model_type == "siglip" else "")
    class_name = class_name.removesuffix("Fast")
    path = folder / "tokenizer.json"
    if model_type == "siglip2":  # whose folders name Gemma's class, which transformers overrides
        class_name = "Siglip2Tokenizer"
    elif model_type == "siglip" and class_name == "GemmaTokenizer" and clean is None:
        class_name = "Siglip2Tokenizer"
        logger.warning(
            "%s: texts are lower-cased, as SigLIP 2 was trained and transformers' Siglip2Tokenizer does it; "
            "AutoTokenizer takes GemmaTokenizer for this folder and keeps capitals",
            path,
        )

    if not path.exists():
        raise NegjaxError(_missing_message(path, class_name))
    content = _read_object(path, _TOKENIZER_KINDS)
    _override_as_class(content, class_name, config)
    if class_name == "NllbTokenizer":
        content["post_processor"] = _with_language(content, config, path)
    padding, truncation = content.get("padding") or {}, content.get("truncation") or {}
    class_clean = ""
    if class_name == "SiglipTokenizer":
        class_clean = "siglip" if config.get("do_lower_case", True) else "siglip-cased"
    default_pad_side = padding.get("direction", DEFAULT_PAD_SIDES.get(class_name, "right"))
    try:
        tokenizer = HFTokenizer(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")),
            context_length,
            clean="+".join(filter(None, (clean, class_clean))),
            pad_side=(config.get("padding_side") or default_pad_side).lower(),
            truncation_side=(config.get("truncation_side") or truncation.get("direction", "right")).lower(),
        )
    except NegjaxError as error:
        raise NegjaxError(f"{path}: {error}") from error

    def special_id(key: str, default: str | None) -> int:
        token = config.get(key) or padding.get(key) or default
        token = token["content"] if isinstance(token, dict) else token
        token_id = tokenizer.token_id(token) if token else None
        if token_id is None:
            raise NegjaxError(f"{path} has no {key} {token!r}: set {key} in tokenizer_config.json")
        return token_id

    tokenizer.pad_id = special_id("pad_token", DEFAULT_PAD_TOKENS.get(class_name, "<pad>"))
    if strip_sep:
        tokenizer.strip_id = special_id("sep_token", DEFAULT_SEPARATORS.get(class_name))
    return tokenizer


def _read_object(path: epath.Path, kinds: Mapping[str, Kind] | None = None) -> dict[str, Any]:
    """The object of a JSON file, an empty one if there is no file. kinds: what its keys may hold."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise NegjaxError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise NegjaxError(f"{path} has no JSON object")
    try:
        check_values(data, kinds or {})
    except NegjaxError as error:
        raise NegjaxError(f"{path}: {error}") from error
    return data


def _missing_message(path: epath.Path, class_name: str) -> str:
    call = f"AutoTokenizer.from_pretrained(NAME).save_pretrained({str(path.parent)!r})"
    if class_name == "SiglipTokenizer":  # which transformers saves without a tokenizer.json
        call = f"T5Tokenizer.from_pretrained({str(path.parent)!r}, extra_ids=0).backend_tokenizer.save({str(path)!r})"
    return f"{path.parent} has no tokenizer.json: make one with transformers by {call}"


def _override_as_class(tokenizer: dict[str, Any], class_name: str, config: dict[str, Any]) -> None:
    """Applies the settings that a class of transformers uses instead of those in tokenizer.json (old files differ)."""
    parts = split_normalizer(tokenizer.get("normalizer"))
    if class_name == "BertTokenizer":
        tokenizer["normalizer"] = {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
            "strip_accents": config.get("strip_accents"),
            "lowercase": config.get("do_lower_case", True),
        }
    elif class_name == "Siglip2Tokenizer":
        tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *parts]}
    elif class_name in ("SiglipTokenizer", "T5Tokenizer", "XLMRobertaTokenizer"):
        tokenizer["normalizer"] = next((part for part in parts if part.get("type") == "Precompiled"), None)
        tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, _METASPACE]}
    elif class_name == "NllbTokenizer":
        characters = [part for part in parts if part.get("type") == "Precompiled"]
        one_space = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [*characters, one_space]} if characters else None
        tokenizer["pre_tokenizer"] = _METASPACE


def _with_language(tokenizer: dict[str, Any], config: dict[str, Any], path: epath.Path) -> dict[str, Any]:
    """NLLB's post-processor: the token of the language before the text and the end token after it.

    In the legacy form both are after it. Files on the hub have the legacy form, which the class overrides.
    """
    ids = {token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}
    language, end = config.get("src_lang") or "eng_Latn", config.get("eos_token") or "</s>"
    end = end["content"] if isinstance(end, dict) else end
    if missing := {language, end} - ids.keys():
        raise NegjaxError(f"{path} has no token {missing.pop()!r}: set src_lang in tokenizer_config.json to one it has")
    text, end_part, language_part = {"Sequence": {"id": "A", "type_id": 0}}, _special_part(end), _special_part(language)
    legacy = config.get("legacy_behaviour", False)
    single = [text, end_part, language_part] if legacy else [language_part, text, end_part]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in (language, end)},
    }


def _special_part(token: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": 0}}
