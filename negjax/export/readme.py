"""The README.md of an exported folder."""

from negjax.export.layouts import IMMICH_NAMES
from negjax.models.loaded import LoadedModel

_TITLE = """\
# {arch} as {format}

Written by `negjax export` (negjax {version}): the image and the text tower, {dtype}. Both give unit vectors
of {length} numbers, float32; the product of an image's and a text's is their cosine. The first axis of every input is
the batch, of any length. `negjax.json` describes the model and how these files were compared with it.
"""

_PLAIN = """
```python
import numpy as np, onnxruntime, tokenizers

tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")      # cleans, pads and truncates
image_tower, text_tower = (onnxruntime.InferenceSession(f"{{name}}.onnx") for name in ("image", "text"))
tokens = np.array([tokenizer.encode("a beach without people").ids], np.int32)
text = text_tower.run(None, {{"tokens": tokens}})[0]                # [1, {length}]
image = image_tower.run(None, {{"pixels": pixels}})[0]              # pixels: uint8 [1, {size}, {size}, 3], RGB
score = image @ text.T
```
"""

_PIXELS = """
The pixels are an image resized as `preprocess` in `negjax.json` says; the tower itself subtracts the mean and divides
by the standard deviation.
"""

_STABLEHLO = """
The programs are for {platforms}. JAX alone runs them:

```python
import jax, numpy as np, tokenizers

arrays = np.load("weights.npz")
weights = {{tower: {{name: arrays[name] for name in arrays if name.startswith(tower)}} for tower in ("visual", "text")}}
programs = [jax.export.deserialize(bytearray(open(f"{{name}}.stablehlo", "rb").read())) for name in ("image", "text")]
image_tower, text_tower = (jax.jit(program.call) for program in programs)
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")      # cleans, pads and truncates
tokens = np.array([tokenizer.encode("a beach without people").ids], np.int32)
text = text_tower(weights["text"], tokens)                        # [1, {length}]
image = image_tower(weights["visual"], pixels)                    # pixels: uint8 [1, {size}, {size}, 3], RGB
score = image @ text.T
```
"""

_IMMICH = """
In the layout that Immich reads. It takes models by the names that it knows, so this one takes the place of one with
vectors of the same length:

1. Copy this folder into Immich's volume `model-cache`, as `clip/{name}`: in the container it is `/cache/clip/{name}`.
2. Set Administration > Settings > Machine Learning > Smart Search to `{name}`, and restart `immich-machine-learning`.
3. Run the job Smart Search on all pictures: vectors of another model mean nothing to this one.

If Immich cannot load a model it empties the folder and downloads its own: keep this folder, and look into its log for
"Downloading". Images go in as `image`, float32 [batch, 3, {size}, {size}], normalised; texts as `text`, int32
[batch, {context}].
"""


def readme(model: LoadedModel, form: str, version: str, dtype: str, platforms: str) -> str:
    """The text for a folder.

    Args:
        model: The model.
        form: "plain" or "immich" for ONNX, or "stablehlo".
        version: Of negjax.
        dtype: Of the weights.
        platforms: Of the programs of StableHLO.
    """
    length = model.config.embed_dim
    parts = {"plain": (_PLAIN, _PIXELS), "immich": (_IMMICH,), "stablehlo": (_STABLEHLO, _PIXELS)}[form]
    return "".join((_TITLE, *parts)).format(
        arch=model.info.get("arch", model.config.name),
        format="StableHLO" if form == "stablehlo" else "ONNX",
        version=version,
        dtype=dtype,
        length=length,
        size=model.config.vision.image_size,
        context=model.config.text.context_length,
        name=IMMICH_NAMES.get(length, ""),
        platforms=platforms,
    )
