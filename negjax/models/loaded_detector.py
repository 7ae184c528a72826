"""A detector ready for use: weights with architecture, preprocessing and tokenizer.

Shapes: B images, S image size, Q queries of an image, N texts, E width of a query.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from PIL import Image

from negjax.media.images import Preprocess, normalise, to_pixels
from negjax.media.padded import pad_and_resize
from negjax.models import clip
from negjax.models.compute import Compute
from negjax.models.detector import Detections, DetectorConfig, detect, find_best
from negjax.runtime.mesh import make_mesh, replicated
from negjax.runtime.sharding import device_put_tree, map_over_batch_shards
from negjax.tokenizers import AnyTokenizer

TEXTS_AT_ONCE = 64


@dataclass
class LoadedDetector:
    """A detector with everything that its boxes depend on.

    Attributes:
        config: The architecture.
        params: The tree of float32 parameters.
        preprocess: How images become pixels; an architecture that pads does that before.
        tokenizer: How texts become token ids.
        info: "arch", "source" and "sha256" of the weights.
        compute: How the towers are computed.
        mesh: The devices that hold the parameters (see `on_devices`): batches are sharded over them. None for one.
    """

    config: DetectorConfig
    params: clip.Params
    preprocess: Preprocess
    tokenizer: AnyTokenizer
    info: dict[str, Any] = field(default_factory=dict)
    compute: Compute = Compute()
    mesh: Mesh | None = None

    def to_pixels(self, image: Image.Image) -> np.ndarray:
        """The pixels [S, S, 3] of an image as `negjax.media.decoding.decode` returns it, from 0 to 255."""
        if self.config.pads:
            return pad_and_resize(image, self.preprocess.size)
        return to_pixels(image, self.preprocess)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Embeds texts as queries: float32 [N, E], unit length."""
        token_NT = self.tokenizer(texts)
        padded_NT = np.pad(token_NT, ((0, -len(texts) % TEXTS_AT_ONCE), (0, 0)))
        parts = [
            np.asarray(_encode_queries(self.config, self.compute, self.params, padded_NT[start:][:TEXTS_AT_ONCE]))
            for start in range(0, len(padded_NT), TEXTS_AT_ONCE)
        ]
        return np.concatenate(parts)[: len(texts)]

    def detect(self, pixels_BHWC: Any, query_BQE: Any) -> Detections:
        """What the detector says of each patch.

        Args:
            pixels_BHWC: of `to_pixels`.
            query_BQE: of `encode_queries`, for each image.
        """
        return _run(detect, self, pixels_BHWC, query_BQE)

    def find_best(self, pixels_BHWC: Any, query_BQE: Any) -> tuple[jax.Array, jax.Array]:
        """The best patch of each query: its score in [0, 1] [B, Q], and its box [B, Q, 4] as in `Detections`.

        Args:
            pixels_BHWC: of `to_pixels`; with a mesh, B is a multiple of its devices.
            query_BQE: of `encode_queries`, for each image; rows of zeros where it has fewer.
        """
        return _run(find_best, self, pixels_BHWC, query_BQE)

    def to_image_boxes(self, box_N4: np.ndarray, width: int, height: int) -> np.ndarray:
        """Boxes as left, top, right and bottom [N, 4], in [0, 1] of an image of this size."""
        centre_N2, size_N2 = box_N4[:, :2], box_N4[:, 2:]
        corner_N4 = np.concatenate([centre_N2 - size_N2 / 2, centre_N2 + size_N2 / 2], axis=1)
        if self.config.pads:
            corner_N4 = corner_N4 * max(width, height) / np.array([width, height, width, height])
        return np.clip(corner_N4, 0, 1).astype(np.float32)


def on_devices(detector: LoadedDetector) -> LoadedDetector:
    """The detector with its parameters on all devices of this process, which share batches."""
    mesh = make_mesh(jax.local_devices())
    params = jax.tree.map(lambda leaf: device_put_tree(leaf, replicated(mesh)), detector.params)
    return replace(detector, params=params, mesh=mesh)


def _run(function: Any, detector: LoadedDetector, pixels_BHWC: Any, query_BQE: Any) -> Any:
    settings = (function, detector.config, detector.preprocess, detector.compute, detector.mesh)
    return _run_jitted(*settings, detector.params, (pixels_BHWC, query_BQE))


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _run_jitted(
    function: Any,
    config: DetectorConfig,
    preprocess: Preprocess,
    compute: Compute,
    mesh: Mesh | None,
    params: clip.Params,
    batch: tuple[jax.Array, jax.Array],
) -> Any:
    def run(params: clip.Params, batch: tuple[jax.Array, jax.Array]) -> Any:
        return function(config, params, normalise(batch[0], preprocess), batch[1], compute)

    return map_over_batch_shards(run, mesh, params, batch)


@partial(jax.jit, static_argnums=(0, 1))
def _encode_queries(config: DetectorConfig, compute: Compute, params: clip.Params, token_NT: jax.Array) -> jax.Array:
    embedding_NE = clip.encode_text(config.clip, params["clip"], token_NT, compute)
    return embedding_NE / jax.numpy.linalg.norm(embedding_NE, axis=-1, keepdims=True)
