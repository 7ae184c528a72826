"""Config and tokenizer files of converted weights, and folders that appear only when they are complete."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.models.loaded import LoadedModel
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path
from negjax.runtime.temporary import temporary_beside
from negjax.tokenizers.clip import Tokenizer, vocabulary
from negjax.tokenizers.normalizers import with_cleaning


@contextmanager
def new_folder(dst: epath.PathLike) -> Iterator[epath.Path]:
    """A temporary folder next to `dst` that is renamed to `dst` at the end, and removed after an error.

    What a killed process left of such a folder is removed.

    Raises:
        NegjaxError: If `dst` exists or cannot be written.
    """
    target = to_path(dst)
    if target.exists():
        raise NegjaxError(f"{target} exists already: choose another name")
    try:
        with temporary_beside(target, folder=True) as temporary:
            yield temporary
            temporary.rename(target)
    except OSError as error:
        raise NegjaxError(f"cannot write {target}: {error.strerror or error}") from error


def write_json(path: epath.Path, data: Any) -> None:
    """Writes indented JSON."""
    write_atomic(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def write_tokenizer(model: LoadedModel, folder: epath.Path, cleanings: Sequence[str]) -> None:
    """Writes the files from which transformers makes the model's tokenizer.

    Args:
        model: The model.
        folder: Where to write.
        cleanings: Those of the tokenizer's that the library which reads the files does not do by itself: they become
            normalizers of the tokenizer.json.
    """
    tokenizer = model.tokenizer
    settings: dict[str, Any]
    if isinstance(tokenizer, Tokenizer):
        if tokenizer.clean != "lower":
            raise NegjaxError(
                f"transformers' CLIPTokenizer lower-cases texts, this model's cleans them by {tokenizer.clean!r}: "
                "use --to open_clip"
            )
        ids, merges = vocabulary()
        write_json(folder / "vocab.json", ids)
        write_atomic(folder / "merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
        start, end = "<|startoftext|>", "<|endoftext|>"
        special = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
        settings = {"tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    else:
        write_atomic(folder / "tokenizer.json", with_cleaning(tokenizer.tokenizer_json, cleanings))
        special = {"pad_token": tokenizer.token(tokenizer.pad_id)}
        if tokenizer.strip_id is not None:
            special["sep_token"] = tokenizer.token(tokenizer.strip_id)
        sides = {"padding_side": tokenizer.pad_side, "truncation_side": tokenizer.truncation_side}
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **sides}
    write_json(folder / "special_tokens_map.json", special)
    settings |= special | {"model_max_length": model.config.text.context_length}
    write_json(folder / "tokenizer_config.json", settings)
