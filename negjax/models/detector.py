"""OWL-ViT and OWLv2, open-vocabulary detectors: CLIP's towers, and heads that read a box and its class from each patch.

The image tower is not pooled: every patch is multiplied by the class token, and is one candidate for a box. Sources:
Minderer et al. 2022 (OWL-ViT) and 2023 (OWLv2); transformers 5.24.0, modeling_owlvit.py and modeling_owlv2.py.

Shapes: B images, S image size, P patches, Q queries, D width of the image tower, E width of the text tower.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.clip import CLIP, Params
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.linear import Linear, matmul_precision

DetectorFamily = Literal["owlvit", "owlv2"]
_NORM_EPS = 1e-6  # of the norms of queries and patches
_EDGE_EPS = 1e-4  # keeps the logits of coordinates 0 and 1 finite


@dataclass(frozen=True)
class DetectorConfig:
    """An architecture of detectors.

    Attributes:
        name: A preset's name, or "custom".
        family: "owlvit", whose images are squashed to a square, or "owlv2", which pads them to one, and has a head that
            tells how likely a patch is any object.
        clip: The towers: a vision transformer with class token, and CLIP's text transformer.
    """

    name: str
    family: DetectorFamily
    clip: CLIPConfig

    def __post_init__(self) -> None:
        vision, text = self.clip.vision, self.clip.text
        if self.family not in get_args(DetectorFamily):
            raise NegjaxError(f"unknown detector {self.family!r}; choose one of {', '.join(get_args(DetectorFamily))}")
        if not isinstance(vision, VisionConfig) or vision.pool != "token" or not isinstance(text, TextConfig):
            raise NegjaxError(f"{self.name}: a detector needs CLIP's transformers as its towers")
        if self.clip.embed_dim != text.width:
            raise NegjaxError(
                f"{self.name}: queries have {self.clip.embed_dim} channels, the class of a patch has {text.width}: "
                "these must agree"
            )

    @property
    def vision(self) -> VisionConfig:
        """The image tower."""
        assert isinstance(self.clip.vision, VisionConfig)
        return self.clip.vision

    @property
    def pads(self) -> bool:
        """Whether images are padded to a square at the right and the bottom, instead of squashed to one."""
        return self.family == "owlv2"


class Detections(NamedTuple):
    """What a detector says of each patch, float32.

    Attributes:
        logit_BPQ: Of each query; its sigmoid is the score.
        box_BP4: Centre x, centre y, width and height, in [0, 1] of the square that the model sees.
        objectness_BP: Logit of being any object; None without a head for it.
    """

    logit_BPQ: jax.Array
    box_BP4: jax.Array
    objectness_BP: jax.Array | None


class PatchHead(nnx.Module):
    """Three linear layers with GELU between them, on each patch: its box, or its objectness."""

    def __init__(self, width: int, outputs: int):
        self.hidden1 = Linear((width, width))
        self.hidden2 = Linear((width, width))
        self.output = Linear((width, outputs))

    def __call__(self, patch_BPD: jax.Array) -> jax.Array:
        hidden_BPD = activate(self.hidden1(patch_BPD), "gelu")
        return self.output(activate(self.hidden2(hidden_BPD), "gelu"))


class ClassHead(nnx.Module):
    """The cosine of a patch's class embedding with each query, shifted and scaled by what the patch says."""

    def __init__(self, width: int, query_width: int):
        self.embedding = Linear((width, query_width))
        self.shift = Linear((width, 1))
        self.scale = Linear((width, 1))

    def __call__(self, patch_BPD: jax.Array, query_BQE: jax.Array) -> jax.Array:
        class_BPE, query_BQE = _unit(self.embedding(patch_BPD)), _unit(query_BQE)
        cosine_BPQ = jnp.einsum("bpe,bqe->bpq", class_BPE, query_BQE, precision=matmul_precision(class_BPE))
        return (cosine_BPQ + self.shift(patch_BPD)) * (jax.nn.elu(self.scale(patch_BPD)) + 1)


class Detector(nnx.Module):
    """The towers, the norm of the patches, and the heads."""

    def __init__(self, config: DetectorConfig, compute: Compute):
        vision = config.vision
        self.clip = CLIP(config.clip, compute)
        self.norm = LayerNorm(vision.width, vision.layer_norm_eps)
        self.class_head = ClassHead(vision.width, config.clip.embed_dim)
        self.box_head = PatchHead(vision.width, 4)
        self.objectness_head = PatchHead(vision.width, 1) if config.family == "owlv2" else None
        self.grid = vision.grid

    def __call__(self, image_BHWC: jax.Array, query_BQE: jax.Array) -> Detections:
        """Detects.

        Args:
            image_BHWC: Normalised float pixels [B, S, S, 3].
            query_BQE: Embeddings of the queries of each image.
        """
        patch_BPD = self.patches(image_BHWC)
        box_BP4 = jax.nn.sigmoid(self.box_head(patch_BPD) + box_bias(self.grid))
        objectness_BP = self.objectness_head(patch_BPD)[..., 0] if self.objectness_head else None
        return Detections(self.class_head(patch_BPD, query_BQE), box_BP4, objectness_BP)

    def patches(self, image_BHWC: jax.Array) -> jax.Array:
        """The patches, each times the class token, normed: [B, P, D], float32."""
        tower = self.clip.visual
        token_BTD = tower.norm_post(tower.transformer(tower.embed(image_BHWC)).astype(jnp.float32))
        return self.norm(token_BTD[:, 1:] * token_BTD[:, :1])


def box_bias(grid: int) -> np.ndarray:
    """What is added to the box head's outputs [P, 4]: the logits of the patch's lower right corner and of its size."""
    row_P, column_P = np.divmod(np.arange(grid * grid, dtype=np.float32), grid)
    size_P = np.ones_like(row_P)
    fraction_P4 = np.stack([column_P + 1, row_P + 1, size_P, size_P], axis=-1) / np.float32(grid)
    return np.log(fraction_P4 + np.float32(_EDGE_EPS)) - np.log1p(np.float32(_EDGE_EPS) - fraction_P4)


def _unit(x: jax.Array) -> jax.Array:
    return x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + _NORM_EPS)


@lru_cache(maxsize=16)
def _abstract(config: DetectorConfig, compute: Compute) -> tuple[nnx.GraphDef, nnx.State]:
    return nnx.split(nnx.eval_shape(lambda: Detector(config, compute)))


def abstract_detector_params(config: DetectorConfig) -> Params:
    """The tree of parameters as `jax.ShapeDtypeStruct`s, without allocating them; the towers' are under "clip"."""
    return nnx.to_pure_dict(_abstract(config, Compute())[1])


def detect(
    config: DetectorConfig, params: Params, image_BHWC: jax.Array, query_BQE: jax.Array, compute: Compute = Compute()
) -> Detections:
    """Runs the detector.

    Args:
        config: The architecture.
        params: Its parameters.
        image_BHWC: Normalised float pixels [B, S, S, 3].
        query_BQE: Embeddings of the queries of each image.
        compute: How the towers are computed.
    """
    return nnx.merge(_abstract(config, compute)[0], params)(image_BHWC, query_BQE)


def find_best(
    config: DetectorConfig, params: Params, image_BHWC: jax.Array, query_BQE: jax.Array, compute: Compute = Compute()
) -> tuple[jax.Array, jax.Array]:
    """The best patch of each query: arguments as of `detect`, the score in [0, 1] [B, Q] and the box [B, Q, 4]."""
    found = detect(config, params, image_BHWC, query_BQE, compute)
    patch_BQ = found.logit_BPQ.argmax(axis=1)
    box_BQ4 = jnp.take_along_axis(found.box_BP4, patch_BQ[..., None], axis=1)
    return jax.nn.sigmoid(found.logit_BPQ.max(axis=1)), box_BQ4
