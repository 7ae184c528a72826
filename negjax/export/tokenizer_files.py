"""A tokenizer as a tokenizer.json that does all of it: cleaning, padding and truncation.

`tokenizers.Tokenizer.from_file` then gives the ids of `negjax.tokenizers`, except of texts in a wrong encoding.
"""

import json
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, processors

from negjax.errors import NegjaxError
from negjax.models.loaded import LoadedModel
from negjax.runtime.files import write_atomic
from negjax.tokenizers.clip import END, START, Tokenizer, vocabulary
from negjax.tokenizers.normalizers import with_cleaning

TOKENIZER_FILE, TOKENIZER_CONFIG_FILE = "tokenizer.json", "tokenizer_config.json"
_CLIP_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_CLIP_PADDING = 0  # an ordinary entry of the vocabulary, "!"


def write_tokenizer_files(model: LoadedModel, folder: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json, which names the padding.

    Raises:
        NegjaxError: The padding has no entry in the vocabulary.
    """
    tokenizer, context = model.tokenizer, model.config.text.context_length
    if isinstance(tokenizer, Tokenizer):
        text, pad_id, sides = with_cleaning(_clip_json(), [tokenizer.clean]), _CLIP_PADDING, ("right", "right")
    else:
        text, pad_id = with_cleaning(tokenizer.tokenizer_json, tokenizer.cleanings), tokenizer.pad_id
        sides = tokenizer.pad_side, tokenizer.truncation_side
    backend = tokenizers.Tokenizer.from_str(text)
    pad_token = backend.id_to_token(pad_id)
    if pad_token is None:
        raise NegjaxError(f"the tokenizer pads with the id {pad_id}, for which its vocabulary has no entry")
    backend.enable_padding(length=context, pad_id=pad_id, pad_token=pad_token, direction=sides[0])
    backend.enable_truncation(context, direction=sides[1])
    write_atomic(folder / TOKENIZER_FILE, backend.to_str())
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": pad_token,
        "padding_side": sides[0],
        "truncation_side": sides[1],
        "model_max_length": context,
    }
    write_atomic(folder / TOKENIZER_CONFIG_FILE, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def load_tokenizer(folder: Path, context: int) -> tokenizers.Tokenizer:
    """The tokenizer of a folder, loaded as Immich loads it: padding and truncation are set from outside."""
    settings = json.loads((folder / TOKENIZER_CONFIG_FILE).read_text())
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    pad_token, side = settings["pad_token"], settings["padding_side"]
    tokenizer.enable_padding(
        length=context, pad_token=pad_token, pad_id=tokenizer.token_to_id(pad_token), direction=side
    )
    tokenizer.enable_truncation(context, direction=settings["truncation_side"])
    return tokenizer


def _clip_json() -> str:
    """CLIP's byte-pair encoding, of cleaned texts. The special tokens, written out in a text, are ordinary words."""
    ids, merges = vocabulary()
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=ids, merges=merges, end_of_word_suffix="</w>"))
    words = pre_tokenizers.Split(Regex(_CLIP_WORD), behavior="removed", invert=True)
    byte_characters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, byte_characters])
    names = {index: entry for entry, index in ids.items() if index in (START, END)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{names[START]} $A {names[END]}", special_tokens=[(names[START], START), (names[END], END)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer.to_str()
