"""Text encoders by their names on the Hugging Face hub, for open_clip's configs, which give no more than the name.

Pooling, projection and context are those of open_clip's defaults. Source: the config.json of each.
"""

import dataclasses

from negjax.models.architecture import TextEncoderConfig

_CONTEXT = 77
_BASE, _LARGE = (768, 12, 12, 3072), (1024, 24, 16, 4096)  # width, depth, heads, MLP width
_BERT = TextEncoderConfig(_CONTEXT, 30522, *_BASE)
_ROBERTA = TextEncoderConfig(
    _CONTEXT, 50265, *_BASE, layer_norm_eps=1e-5, pad_id=1, positions="count", max_positions=514, token_types=1
)
_XLM_ROBERTA = dataclasses.replace(_ROBERTA, vocab_size=250002)
_NLLB = TextEncoderConfig(
    *(_CONTEXT, 256206, 1024, 12, 16, 4096, "relu"),
    layer_norm_eps=1e-5,
    pad_id=1,
    positions="waves",
    max_positions=0,
    token_types=0,
    norm_first=True,
    scale_tokens=True,
    pool="first",
    projection="linear",
)


def _resized(base: TextEncoderConfig, sizes: tuple[int, int, int, int], vocab_size: int = 0) -> TextEncoderConfig:
    width, depth, heads, mlp_width = sizes
    return dataclasses.replace(
        base, width=width, depth=depth, heads=heads, mlp_width=mlp_width, vocab_size=vocab_size or base.vocab_size
    )


ENCODERS: dict[str, TextEncoderConfig] = {
    "bert-base-uncased": _BERT,
    "bert-base-cased": _resized(_BERT, _BASE, 28996),
    "bert-base-multilingual-cased": _resized(_BERT, _BASE, 119547),
    "bert-base-multilingual-uncased": _resized(_BERT, _BASE, 105879),
    "bert-base-chinese": _resized(_BERT, _BASE, 21128),
    "bert-large-uncased": _resized(_BERT, _LARGE),
    "bert-large-cased": _resized(_BERT, _LARGE, 28996),
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": _BERT,
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext": _BERT,
    "microsoft/BiomedNLP-BiomedBERT-large-uncased-abstract": _resized(_BERT, _LARGE),
    "roberta-base": _ROBERTA,
    "roberta-large": _resized(_ROBERTA, _LARGE),
    "xlm-roberta-base": _XLM_ROBERTA,
    "xlm-roberta-large": _resized(_XLM_ROBERTA, _LARGE),
    "facebook/nllb-200-distilled-600M": _NLLB,
    "facebook/nllb-200-distilled-1.3B": _resized(_NLLB, (1024, 24, 16, 8192)),
}


def known_encoder(name: str) -> TextEncoderConfig | None:
    """The encoder of this name on the hub, also under its organisation's or its earlier name; None if unknown."""
    for organisation in ("google-bert/", "FacebookAI/"):
        name = name.removeprefix(organisation)
    return ENCODERS.get(name.replace("-PubMedBERT-", "-BiomedBERT-"))
