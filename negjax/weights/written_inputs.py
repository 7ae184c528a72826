"""Which inputs a library prepares in another way than the model that is written for it: no file of it can say so."""

import logging
from dataclasses import asdict

from etils import epath

from negjax.media.images import Preprocess
from negjax.models.loaded import LoadedModel
from negjax.tokenizers.cleaning import OPEN_CLIP_CLEANINGS, split_for_open_clip
from negjax.tokenizers.clip import Tokenizer

_CONCERNED = {  # field of the preprocessing -> the images that get other pixels
    "rgb_first": "palettes, 1-bit and transparent images",
    "crop_rounding": "images with an odd margin around the crop",
}

logger = logging.getLogger(__name__)


def warn_of_changes(
    dst: epath.PathLike, library: str, model: LoadedModel, preprocess: Preprocess, text_changes: list[str]
) -> None:
    """Logs, in one line, what a library computes of a written model in another way; nothing if there is nothing.

    Args:
        dst: Where the model is written.
        library: "open_clip" or "transformers".
        model: The model.
        preprocess: The preprocessing that the library reads from what is written.
        text_changes: Of `open_clip_text_changes` or `hf_text_changes`.
    """
    before, after = asdict(model.preprocess), asdict(preprocess)
    changes = [
        f"{name} is {after[name]} instead of {before[name]}" + (f" ({_CONCERNED[name]})" if name in _CONCERNED else "")
        for name in before
        if before[name] != after[name]
    ]
    if changes := changes + text_changes:
        logger.warning("%s: %s prepares inputs in another way than this model: %s", dst, library, "; ".join(changes))


def open_clip_text_changes(model: LoadedModel) -> list[str]:
    """How open_clip cleans texts in another way."""
    if isinstance(model.tokenizer, Tokenizer):
        return []
    by_open_clip, rest = split_for_open_clip(model.tokenizer.clean)
    if model.tokenizer.cleanings == [by_open_clip, *rest]:
        return []
    clean = "+".join([by_open_clip, *rest])
    what = "typographic quotes, HTML entities, composed letters, wrong encodings and superfluous spaces"
    return [f"the cleaning of texts is {clean} instead of {model.tokenizer.clean or 'none'} ({what})"]


def hf_text_changes(model: LoadedModel) -> list[str]:
    """How transformers' tokenizers clean texts in another way: ftfy is beyond them."""
    if isinstance(model.tokenizer, Tokenizer):
        return ["typographic quotes, HTML entities and wrong encodings in texts are not repaired"]
    if OPEN_CLIP_CLEANINGS.keys() & set(model.tokenizer.cleanings):
        return ["wrong encodings in texts are not repaired"]
    return []
