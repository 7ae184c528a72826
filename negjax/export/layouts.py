"""What lies where in the folder of an exported model, and what its towers take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from negjax.errors import NegjaxError
from negjax.export.towers import Pixels
from negjax.media.images import Preprocess
from negjax.models.loaded import LoadedModel
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.output_files import write_json


@dataclass(frozen=True)
class ExportLayout:
    """The files of a folder.

    Attributes:
        image_file: The image tower.
        text_file: The text tower.
        image_input: The name of the image tower's input.
        text_input: The name of the text tower's input.
        pixels: What the image tower takes, see `negjax.export.towers.image_tower`.
        tokenizer_folder: Where the tokenizer's files lie; "" beside the others.
    """

    image_file: str
    text_file: str
    image_input: str
    text_input: str
    pixels: Pixels
    tokenizer_folder: str

    def inputs(self, pixels_BHWC: np.ndarray, preprocess: Preprocess) -> np.ndarray:
        """What the image tower takes, made with NumPy from uint8 pixels [B, S, S, 3] as a user of the folder would."""
        if self.pixels == "uint8":
            return pixels_BHWC
        mean, std = np.array(preprocess.mean, np.float32), np.array(preprocess.std, np.float32)
        normed_BHWC = (pixels_BHWC.astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(normed_BHWC.transpose(0, 3, 1, 2))


LAYOUTS = {
    "plain": ExportLayout("image.onnx", "text.onnx", "pixels", "tokens", "uint8", ""),
    "immich": ExportLayout("visual/model.onnx", "textual/model.onnx", "image", "text", "normalised", "textual"),
}
STABLEHLO = ExportLayout("image.stablehlo", "text.stablehlo", "pixels", "tokens", "uint8", "")

# Immich takes models by the names that it knows, and their vectors in the length that it knows.
# Source: immich-app/immich, server/src/constants.ts.
IMMICH_NAMES = {
    512: "ViT-B-32__openai",
    640: "RN50x4__openai",
    768: "ViT-L-14__openai",
    1024: "RN50__openai",
    1152: "ViT-SO400M-14-SigLIP-384__webli",
    1536: "ViT-gopt-16-SigLIP2-256__webli",
}


def check_immich(model: LoadedModel) -> None:
    """Raises NegjaxError if Immich prepares images or texts in a way that the model was not made for.

    Source: immich-app/immich, machine-learning/immich_ml/models/clip: it resizes the short side, or both sides, to the
    model's size, and pads and truncates texts on the right.
    """
    preprocess, tokenizer = model.preprocess, model.tokenizer
    reasons: Sequence[tuple[bool, str]] = (
        (preprocess.resize_mode == "longest", "images whose long side is resized to the model's size"),
        (preprocess.resize_size is not None, f"images resized to {preprocess.resize_size} pixels before the crop"),
        (
            isinstance(tokenizer, HFTokenizer) and {tokenizer.pad_side, tokenizer.truncation_side} != {"right"},
            "texts padded or truncated on the left",
        ),
        (
            model.config.embed_dim not in IMMICH_NAMES,
            f"embeddings of {model.config.embed_dim} numbers (it has {', '.join(map(str, IMMICH_NAMES))})",
        ),
    )
    for holds, what in reasons:
        if holds:
            raise NegjaxError(f"Immich has no {what}: use --layout plain")


def write_immich_settings(model: LoadedModel, folder: Path) -> None:
    """Writes what Immich reads besides the towers and the tokenizer: config.json and visual/preprocess_cfg.json."""
    text = {"context_length": model.config.text.context_length, "vocab_size": model.config.text.vocab_size}
    size = model.config.vision.image_size
    settings = {"embed_dim": model.config.embed_dim, "vision_cfg": {"image_size": size}, "text_cfg": text}
    write_json(folder / "config.json", settings)
    preprocess = {
        "size": [size, size],
        "mode": "RGB",
        "mean": list(model.preprocess.mean),
        "std": list(model.preprocess.std),
        "interpolation": model.preprocess.interpolation,
        "resize_mode": model.preprocess.resize_mode,
        "fill_color": 0,
    }
    write_json(folder / "visual" / "preprocess_cfg.json", preprocess)
