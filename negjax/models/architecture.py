"""Architectures as frozen dataclasses.

Everything that changes an embedding (activation and layer-norm epsilon included) is a field here, is stored in every
checkpoint and is never guessed. The family of a model decides what belongs to its weights instead of its arithmetic:
tensor names, configs of other libraries, usual preprocessing, initial values.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from negjax.errors import NegjaxError
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.field_checks import check_fields

Activation = Literal["gelu", "quick_gelu", "gelu_tanh", "relu", "silu"]
ImagePool = Literal["token", "average", "attention", "cross_attention"]
Rotary = Literal["none", "rows_first", "columns_first"]
BlockForm = Literal["pre_norm", "sub_norm", "res_post_norm"]
TextPool = Literal["argmax", "eos", "last", "class"]
EncoderMask = Literal["id", "tail"]
EncoderPool = Literal["first", "mean", "pooler"]
EncoderPositions = Literal["index", "count", "waves"]
EncoderProjection = Literal["none", "linear", "mlp"]
# Checkpoints from before CLIPConfig.family: the family follows from how the towers pool.
_FAMILY_OF_IMAGE_POOL = {"token": "clip", "average": "clipa", "attention": "siglip"}


@dataclass(frozen=True)
class VisionConfig:
    """A vision transformer on square patches with learned positions, and rotary ones in some models.

    Attributes:
        image_size: Side of the square image, in pixels.
        patch_size: Side of a patch, in pixels.
        width: Channels of a token.
        depth: Number of blocks.
        heads: Attention heads.
        mlp_width: Hidden channels of the perceptrons.
        activation: Of the perceptrons.
        layer_norm_eps: Added to the variance.
        class_token: Whether a learned token precedes the patches.
        patch_bias: Whether the patch embedding adds a bias.
        norm_pre: Whether a layer norm precedes the first block.
        pool: "token" (the class token), "average" (over the patches), "attention" (SigLIP's learned query) or
            "cross_attention" (CoCa's learned query, as wide as the embedding).
        norm_after_pool: Whether the last layer norm acts on the pooled vector instead of on every token, which makes a
            difference to "average" and "cross_attention" alone.
        projection: Whether a linear map leads to the embedding.
        pool_heads: Attention heads of "cross_attention", and of "attention" with a `pool_mlp_width`.
        projection_bias: Whether that map adds a bias.
        pool_mlp_width: Hidden channels of the perceptron of "attention"; 0 for as many, and as many heads, as a block.
        rotary: Whether queries and keys of patches are rotated by their coordinates (see `negjax.models.rotary`), and
            whether a head's first channels are rotated by the row or by the column.
        rotary_grid: Patches along a side of the images that rotations were trained on: coordinates are scaled to them.
        rotary_start: Coordinate of the first row and column, before they are scaled.
        block: Where a block's norms are: "pre_norm" (before attention and perceptron), "sub_norm" (EVA-02's: there, and
            within both, whose perceptron is gated by the activation) or "res_post_norm" (after both, before the sum).
        key_bias: Whether keys have a bias as queries and values have.
        stem_width: Channels of MobileCLIP's stem, two convolutions with batch norms before the patches; 0 for none.
        class_position: Whether the class token has a position too.
    """

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    activation: Activation
    layer_norm_eps: float = 1e-5
    class_token: bool = True
    patch_bias: bool = False
    norm_pre: bool = True
    pool: ImagePool = "token"
    norm_after_pool: bool = False
    projection: bool = True
    pool_heads: int = 8
    projection_bias: bool = False
    pool_mlp_width: int = 0
    rotary: Rotary = "none"
    rotary_grid: int = 0
    rotary_start: int = 0
    block: BlockForm = "pre_norm"
    key_bias: bool = True
    stem_width: int = 0
    class_position: bool = True

    @property
    def grid(self) -> int:
        """Patches along a side; leftover pixels at the right and the bottom are unused, as in a convolution."""
        return self.image_size // self.patch_size

    @property
    def patch_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what becomes a token: pixels, or what the stem makes of them."""
        return (2, 2, self.stem_width) if self.stem_width else (self.patch_size, self.patch_size, 3)

    @property
    def tokens(self) -> int:
        """Sequence length: the patches and the class token."""
        return self.grid**2 + self.class_token

    @property
    def positions(self) -> int:
        """Learned positions: one for each token that has one."""
        return self.grid**2 + (self.class_token and self.class_position)


@dataclass(frozen=True)
class TextConfig:
    """A text transformer.

    Attributes:
        context_length: The most tokens of a caption.
        vocab_size: Number of token ids.
        width: Channels of a token.
        depth: Number of blocks.
        heads: Attention heads.
        mlp_width: Hidden channels of the perceptrons.
        activation: Of the perceptrons.
        layer_norm_eps: Added to the variance.
        causal: Whether a token sees only those before it.
        pool: Where the embedding is taken: "argmax" (at the largest id, CLIP's end token), "eos" (at the first
            `end_token`), "last" (at the last position, padding or not) or "class" (at a learned token after the
            context, CoCa).
        end_token: The end token's id, for `pool` "eos".
        projection: Whether a linear map leads to the embedding.
        projection_bias: Whether that map adds a bias.
        pad_token: The padding's id, for `pool` "class".
    """

    context_length: int
    vocab_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    activation: Activation
    layer_norm_eps: float = 1e-5
    causal: bool = True
    pool: TextPool = "argmax"
    end_token: int = 0
    projection: bool = True
    projection_bias: bool = False
    pad_token: int = 0

    @property
    def tokens(self) -> int:
        """The longest sequence: the context and the class token."""
        return self.context_length + (self.pool == "class")

    @property
    def sees_padding(self) -> bool:
        """Whether padding after the end token changes the embedding, so that captions must not be trimmed."""
        return not self.causal or self.pool in ("last", "class")


ImageConfig = VisionConfig | ResNetConfig | ConvNeXtConfig
_CONVNETS = {config.kind: config for config in (ResNetConfig, ConvNeXtConfig)}  # as stored; else a VisionConfig


@dataclass(frozen=True)
class TextEncoderConfig:
    """A bidirectional text encoder that masks padding: BERT, RoBERTa, XLM-RoBERTa, or NLLB's encoder.

    Attributes:
        context_length: The most tokens of a caption.
        vocab_size: Number of token ids.
        width: Channels of a token.
        depth: Number of blocks.
        heads: Attention heads.
        mlp_width: Hidden channels of the perceptrons.
        activation: Of the perceptrons.
        layer_norm_eps: Added to the variance.
        pad_id: The id of padding, which no token attends to.
        mask: Which tokens of that id are padding: "id" (all, as open_clip has it) or "tail" (those after the last other
            token, as a tokenizer of transformers has it; a text may spell padding).
        positions: Position of a token: "index" (BERT: its index, in a learned table), "count" (RoBERTa: `pad_id` plus
            the number of tokens up to it that are not padding, in a learned table) or "waves" (NLLB: the same number,
            as sines and cosines without parameters).
        max_positions: Rows of the learned table.
        token_types: Rows of the table of token types, of which every token gets the first; 0 for none.
        norm_first: Whether the layer norms precede attention and perceptron, with one after the last block (NLLB),
            instead of following each sum, with one on the embeddings (BERT).
        scale_tokens: Whether token embeddings are multiplied by the square root of the width.
        pool: "first" (the first token), "mean" (over all tokens but padding) or "pooler" (BERT's: the first token,
            a linear layer and tanh).
        projection: How the pooled vector becomes the embedding: "none", "linear" or "mlp" (two linear layers with GELU
            between them), without biases.
    """

    context_length: int
    vocab_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    activation: Activation = "gelu"
    layer_norm_eps: float = 1e-12
    pad_id: int = 0
    mask: EncoderMask = "id"
    positions: EncoderPositions = "index"
    max_positions: int = 512
    token_types: int = 2
    norm_first: bool = False
    scale_tokens: bool = False
    pool: EncoderPool = "mean"
    projection: EncoderProjection = "mlp"

    def __post_init__(self) -> None:
        check_fields(self)
        longest = self.max_positions - (self.pad_id + 1 if self.positions == "count" else 0)
        if self.positions != "waves" and self.context_length > longest:
            raise NegjaxError(f"a context of {self.context_length} tokens: the positions suffice for {longest}")

    @property
    def sees_padding(self) -> bool:
        """Whether padding changes the embedding."""
        return False


AnyTowerConfig = VisionConfig | TextConfig | TextEncoderConfig  # of transformers


@dataclass(frozen=True)
class CLIPConfig:
    """A two-tower CLIP.

    Attributes:
        name: A preset's name, or "custom".
        embed_dim: Length of the embeddings.
        vision: The image tower.
        text: The text tower.
        logit_scale_init: First value of the learned logit scale: the logarithm of the inverse temperature.
        logit_bias_init: First value of the learned bias of SigLIP's loss (SigLIP: -10, with a logit scale of ln 10);
            None for a model without that bias.
        family: The family of the weights, a key of `negjax.weights.families.table`: "clip", "siglip", "clipa", ...
    """

    name: str
    embed_dim: int
    vision: ImageConfig
    text: TextConfig | TextEncoderConfig
    logit_scale_init: float = math.log(1 / 0.07)
    logit_bias_init: float | None = None
    family: str = "clip"

    def __post_init__(self) -> None:
        for part in (self, self.vision, self.text):
            check_fields(part)
        for name, tower in (("vision", self.vision), ("text", self.text)):
            for field, choices in _choices(type(tower)):
                if (value := getattr(tower, field)) not in choices:
                    raise NegjaxError(f"unknown {name} {field} {value!r}; choose one of {', '.join(choices)}")
            width = tower.final_width if isinstance(tower, ResNetConfig | ConvNeXtConfig) else tower.width
            if not isinstance(tower, ConvNeXtConfig) and width % tower.heads:
                raise NegjaxError(f"{name} width {width} is not divisible by {tower.heads} heads")
            if getattr(tower, "projection", True) in (False, "none") and width != self.embed_dim:
                raise NegjaxError(
                    f"{name} width {width} differs from the embedding's {self.embed_dim}: the tower needs a projection"
                )
        for field in ("pad_id", "pad_token", "end_token"):
            if (token := getattr(self.text, field, 0)) >= self.text.vocab_size:
                raise NegjaxError(f"text {field} {token} is beyond the vocabulary of {self.text.vocab_size}")
        if isinstance(self.vision, VisionConfig):
            self._check_vision(self.vision)
        elif self.vision.image_size < 32 or self.vision.image_size % 32:
            raise NegjaxError(f"image size {self.vision.image_size} of a {self.vision.kind} is not a multiple of 32")

    def _check_vision(self, vision: VisionConfig) -> None:
        if vision.image_size < vision.patch_size:
            raise NegjaxError(f"image size {vision.image_size} is smaller than patch size {vision.patch_size}")
        if vision.pool == "token" and not vision.class_token:
            raise NegjaxError('vision pool "token" needs class_token=True')
        if vision.pool == "cross_attention" and (not vision.pool_heads or self.embed_dim % vision.pool_heads):
            raise NegjaxError(f"embed_dim {self.embed_dim} is not divisible by {vision.pool_heads} pool_heads")
        if vision.pool_mlp_width and (not vision.pool_heads or vision.width % vision.pool_heads):
            raise NegjaxError(f"vision width {vision.width} is not divisible by {vision.pool_heads} pool_heads")
        if vision.stem_width and vision.patch_size % 4:
            raise NegjaxError(f"patch size {vision.patch_size} is not a multiple of 4, as a stem needs it")
        if vision.rotary != "none" and (vision.width // vision.heads % 4 or not vision.rotary_grid):
            raise NegjaxError(
                f"rotary positions need a rotary_grid, and heads of a multiple of 4 channels: these have "
                f"{vision.width // vision.heads}, and the rotary_grid is {vision.rotary_grid}"
            )

    @property
    def has_batch_norms(self) -> bool:
        """Whether the image tower normalises with statistics that only its weights bring along."""
        return isinstance(self.vision, ResNetConfig) or bool(
            isinstance(self.vision, VisionConfig) and self.vision.stem_width
        )

    @property
    def activation(self) -> str:
        """The activation of both towers; "IMAGE/TEXT" where they differ. The text's where images are convolved."""
        text = self.text.activation
        vision = self.vision.activation if isinstance(self.vision, VisionConfig) else text
        return vision if vision == text else f"{vision}/{text}"


def _choices(tower_class: type) -> list[tuple[str, tuple[str, ...]]]:
    """The fields of a tower's config that take one of a few words, and these words."""
    hints = get_type_hints(tower_class).items()
    return [(field, get_args(hint)) for field, hint in hints if get_origin(hint) is Literal]


def with_activation(config: CLIPConfig, activation: str) -> CLIPConfig:
    """The same architecture with another activation in both towers ("IMAGE/TEXT" for one in each).

    A convolutional image tower keeps its own.

    Raises:
        NegjaxError: If the activation is unknown.
    """
    vision, _, text = activation.partition("/")
    image_tower = config.vision
    if isinstance(image_tower, VisionConfig):
        image_tower = dataclasses.replace(image_tower, activation=cast(Activation, vision))
    text_tower = dataclasses.replace(config.text, activation=cast(Activation, text or vision))
    return dataclasses.replace(config, vision=image_tower, text=text_tower)


def for_sigmoid_loss(config: CLIPConfig) -> CLIPConfig:
    """The same architecture with SigLIP's learned bias and its first scale and bias (Zhai et al. 2023, section 3.2)."""
    return dataclasses.replace(config, logit_scale_init=math.log(10), logit_bias_init=-10.0)


def to_dict(config: CLIPConfig) -> dict[str, Any]:
    """A JSON-able form of the architecture, as stored in checkpoints."""
    return dataclasses.asdict(config)


def from_dict(data: dict[str, Any]) -> CLIPConfig:
    """The inverse of `to_dict`, also for checkpoints from before `CLIPConfig.family`.

    Raises:
        NegjaxError: If a field is missing or unknown.
    """
    try:
        text_class = TextEncoderConfig if "pad_id" in data["text"] else TextConfig
        vision, text = _read_vision(data["vision"]), text_class(**data["text"])
        of_towers = "metaclip2" if text.pool == "eos" else _FAMILY_OF_IMAGE_POOL.get(data["vision"].get("pool"), "clip")
        family = data.get("family") or of_towers
        return CLIPConfig(**data | {"vision": vision, "text": text, "family": family})
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"not an architecture of this version of negjax: {error}") from error


def _read_vision(data: dict[str, Any]) -> ImageConfig:
    if convnet := _CONVNETS.get(data.get("kind", "")):  # JSON makes lists of its tuples
        fields: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in data.items()}
        return convnet(**fields)
    return VisionConfig(**data)
