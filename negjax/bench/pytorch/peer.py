"""open_clip's model with the weights of the comparison, and what its two scripts do differently.

The plain script is what open_clip's README leads to: captions padded to the context, everything eager, AdamW with its
defaults. The smart one cuts captions at the longest of a batch, joins what one call can compute, takes the fused AdamW
and compiles where that is faster.
"""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.transformer import text_global_pool
from PIL import Image
from torch.nn.functional import normalize

from negjax.bench.machine import cores
from negjax.bench.settings import BenchSettings
from negjax.runtime.memory import host_peak_bytes


@dataclass(frozen=True)
class Peer:
    """A model of open_clip, on the GPU if there is one.

    Attributes:
        model: in float32.
        transform: its preprocessing, of a Pillow image.
        tokenize: its tokenizer, to ids [N, context length].
        device: of the model.
        dtype: of the matrix products, "float32" or "bfloat16".
    """

    model: Any
    transform: Callable[[Image.Image], torch.Tensor]
    tokenize: Callable[[list[str]], torch.Tensor]
    device: str
    dtype: str

    @property
    def platform(self) -> str:
        """The device in JAX's words."""
        return "gpu" if self.device == "cuda" else "cpu"

    def autocast(self) -> AbstractContextManager[Any]:
        """A context in which products are computed in `dtype`."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.dtype == "bfloat16")

    def wait(self) -> None:
        """Until the device is idle."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def peak_bytes(self) -> tuple[int, str]:
        """The largest memory so far, and of what."""
        if self.device == "cuda":
            return torch.cuda.max_memory_allocated(), "device"
        return host_peak_bytes(), "host"

    def pixels(self, files: list[str]) -> torch.Tensor:
        """Images [N, 3, S, S] on the device."""
        return torch.stack([self.transform(Image.open(file)) for file in files]).to(self.device)

    def tokens(self, texts: list[str]) -> torch.Tensor:
        """Ids [N, context length] on the device."""
        return self.tokenize(texts).to(self.device)


def load_peer(folder: str, dtype: str) -> Peer:
    """The model of FOLDER/weights.

    Args:
        folder: that of the comparison.
        dtype: of the matrix products.
    """
    torch.set_num_threads(cores())
    name, device = f"local-dir:{folder}/weights", "cuda" if torch.cuda.is_available() else "cpu"
    model, _, transform = open_clip.create_model_and_transforms(name, device=device)
    return Peer(model, transform, open_clip.get_tokenizer(name), device, dtype)


def peer_of(settings: BenchSettings) -> Peer:
    """As `load_peer`."""
    return load_peer(settings.folder, settings.dtype)


def versions() -> dict[str, str]:
    """Of what is compared with."""
    return {"torch": torch.__version__, "open_clip": open_clip.__version__}


def lengths(token_NT: torch.Tensor) -> torch.Tensor:
    """The ids of each caption up to the end token, which is the largest id of CLIP's tokenizer."""
    return token_NT.argmax(dim=1) + 1


def trimmed(model: Any, token_NT: torch.Tensor) -> torch.Tensor:
    """Captions cut at the longest, where that changes nothing: in causal towers that pool at the end token."""
    can_trim = isinstance(model, open_clip.model.CLIP) and model.attn_mask is not None
    return token_NT[:, : int(lengths(token_NT).max())] if can_trim and model.text_pool_type == "argmax" else token_NT


def encode_trimmed(model: Any, token_NT: torch.Tensor) -> torch.Tensor:
    """`CLIP.encode_text` for captions of any length, which open_clip's own cannot take. Unit length."""
    length = token_NT.shape[1]
    if not isinstance(model, open_clip.model.CLIP) or length == model.context_length:
        return model.encode_text(token_NT, normalize=True)
    x = model.token_embedding(token_NT) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = text_global_pool(model.ln_final(x), token_NT, model.text_pool_type)
    return normalize(x @ model.text_projection, dim=-1)


def faster(eager: Callable, run: Callable[[Callable], object], wait: Callable[[], None]) -> tuple[Callable, str]:
    """A function, compiled if that works and is faster, and which it is.

    Args:
        eager: the function.
        run: uses a function as the work does.
        wait: returns when the device is idle.
    """

    def seconds(function: Callable) -> float:
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            run(function)
            wait()
            times.append(time.perf_counter() - begin)
        return min(times)

    before = seconds(eager)
    try:
        compiled = torch.compile(eager)
        run(compiled)
        after = seconds(compiled)
    except Exception as error:  # of many types: no C++ compiler, or an operation that is not supported
        return eager, f"torch.compile fails: {' '.join(str(error).split())[:80]}"
    gain = f"torch.compile {before / after:.2f} times eager"
    return (compiled, gain) if after < before else (eager, f"eager, {gain}")


def read_export(settings: BenchSettings, name: str) -> Any:
    """What `negjax.bench.exports` wrote under a name."""
    return json.loads(Path(settings.folder, "export", f"{name}.json").read_text())
