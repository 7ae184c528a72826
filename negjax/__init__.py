"""CLIP models that understand negation, in JAX and Flax.

model, preprocess, tokenize = negjax.load("runs/negfull")
image = model.encode_image(preprocess(["photo.jpg", "other.jpg"]))
text = model.encode_text(tokenize(["a street with no cars"]))
query = model.encode_query(["a street with no cars"], negation="space")
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from negjax.media.arguments import ImageArgument
    from negjax.models.loaded import LoadedModel


def __getattr__(name: str) -> str:
    """__version__ when it is asked for: importlib.metadata takes longer than all else that the command imports."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("negjax")


def load(
    path: str | os.PathLike[str], step: str | int = "latest", *, arch: str = "", activation: str = ""
) -> "tuple[LoadedModel, Callable[[ImageArgument | Sequence[ImageArgument]], np.ndarray], Callable[..., np.ndarray]]":
    """Loads a model with the functions that prepare its input.

    Args:
        path: a training workdir, a checkpoint, PyTorch weights (a file or a folder), or a name to download
            ("hf-hub:ORG/NAME", "open_clip:ARCH/TAG").
        step: of a workdir: "latest", "best" or a number.
        arch: architecture of weights that do not say it, see `negjax.weights.read.read_model`.
        activation: overrides that of the weights, see `negjax.weights.read.read_model`.

    Returns:
        The model, on the first device, with `encode_image(pixels)`, `encode_text(ids)`, `encode_query(texts)` and
        `score(queries, images)`;
        `preprocess`, from an image (a path, encoded bytes, an open file, a PIL image, or an array of uint8 pixels with
        channels last) to uint8 pixels [S, S, 3], and from a list of images to [N, S, S, 3];
        `tokenize`, from one or several texts to int32 ids [N, context length].
        Arguments of other types are a TypeError, images and ids that cannot be used a NegjaxError.

    Raises:
        negjax.errors.NegjaxError: the model cannot be loaded.
    """
    import jax  # here, so that `import negjax` does not take seconds
    import numpy as np

    from negjax.media.arguments import is_batch, open_image
    from negjax.media.images import to_pixels
    from negjax.weights.read import read_model

    model = read_model(path, step, arch=arch, activation=activation)
    model.params = jax.device_put(model.params)

    def preprocess(image: Any) -> "np.ndarray":
        if not is_batch(image):
            return to_pixels(open_image(image), model.preprocess)
        size = model.preprocess.size
        return np.array([preprocess(each) for each in image], np.uint8).reshape(-1, size, size, 3)

    def tokenize(texts: str | Sequence[str]) -> "np.ndarray":
        texts = [texts] if isinstance(texts, str) else list(texts)
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise TypeError(f"texts are strings, not {type(wrong[0]).__name__}")
        return model.tokenizer(texts)

    return model, preprocess, tokenize
