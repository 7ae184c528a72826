"""CLIP models that understand negation, in JAX and Flax.

model, preprocess, tokenize = negjax.load("runs/negfull")
image = model.encode_image(preprocess("photo.jpg")[None])
text = model.encode_text(tokenize(["a street with no cars"]))
"""

import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from negjax.models.loaded import LoadedModel

__version__ = version("negjax")


def load(
    path: str | os.PathLike[str], step: str | int = "latest", *, arch: str = "", activation: str = ""
) -> "tuple[LoadedModel, Callable[[Image | str | os.PathLike[str] | bytes], np.ndarray], Callable[..., np.ndarray]]":
    """Loads a model with the functions that prepare its input.

    Args:
        path: a training workdir, a checkpoint, PyTorch weights (a file or a folder), or a name to download
            ("hf-hub:ORG/NAME", "open_clip:ARCH/TAG").
        step: of a workdir: "latest", "best" or a number.
        arch: architecture of weights that do not say it, see `negjax.weights.read.read_model`.
        activation: overrides that of the weights, see `negjax.weights.read.read_model`.

    Returns:
        The model, on the first device; `preprocess`, from a PIL image, a path or encoded bytes to uint8 pixels [S, S,
        3]; and `tokenize`, from one or several texts to int32 ids [N, context length].

    Raises:
        negjax.errors.NegjaxError: the model cannot be loaded.
    """
    import jax  # here, so that `import negjax` does not take seconds
    from etils import epath

    from negjax.errors import NegjaxError
    from negjax.media.images import decode, to_pixels
    from negjax.weights.read import read_model

    model = read_model(path, step, arch=arch, activation=activation)
    model.params = jax.device_put(model.params)

    def preprocess(image: "Image | str | os.PathLike[str] | bytes") -> "np.ndarray":
        if isinstance(image, str | os.PathLike):
            try:
                decoded = decode(epath.Path(image).read_bytes(), str(image))
            except OSError as error:
                raise NegjaxError(f"cannot read {image}: {error.strerror}") from error
        elif isinstance(image, bytes):
            decoded = decode(image, "the image")
        else:
            decoded = image.convert("RGB")
        return to_pixels(decoded, model.preprocess)

    def tokenize(texts: str | Sequence[str]) -> "np.ndarray":
        return model.tokenizer([texts] if isinstance(texts, str) else texts)

    return model, preprocess, tokenize
