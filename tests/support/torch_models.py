"""PyTorch's own models of every family, small, with random weights, saved as their users save them."""

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

from negjax.models.timm_towers import (
    CLIP_VITS,
    EVAS,
    HYBRIDS,
    PERCEPTION_ENCODERS,
    clip_vit,
    eva,
    hybrid,
    perception_encoder,
)

VOCAB = 49408
HEAD_WIDTHS = (64, 80, 88, 104)


@dataclass
class Case:
    """A model in PyTorch. save: into a folder, gives the path to read. stages: name -> module whose output is compared.

    image_size, context_length, vocab_size, pad_id: of its inputs.
    """

    model: nn.Module
    save: Callable[[Path], Path]
    stages: dict[str, nn.Module]
    image_size: int
    context_length: int
    vocab_size: int
    hf: bool = False
    pad_id: int = 0

    def embed(self, pixels: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings of unit length of normalised pixels [B, 3, S, S] and token ids [B, T]."""
        if self.hf:
            masks = isinstance(self.model, transformers.ChineseCLIPModel)
            mask = {"attention_mask": (tokens != self.pad_id).long()} if masks else {}
            out = self.model(input_ids=tokens, pixel_values=pixels, **mask)
            return out.image_embeds, out.text_embeds
        return self.model.encode_image(pixels, normalize=True), self.model.encode_text(tokens, normalize=True)


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter away from its neutral value, so that none goes unnoticed; the logit scale stays sane."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "logit" not in name:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise * (0.1 if parameter.ndim < 2 else 0.3 / math.sqrt(parameter.shape[-1])))
        for name, buffer in model.named_buffers():  # of batch norms
            if name.endswith("running_mean"):
                buffer.add_(0.3 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return model.eval().float()


def open_clip_case(vision: dict[str, Any], text: dict[str, Any], embed_dim: int = 48, **more: Any) -> Case:
    """A model of open_clip's own towers, saved as weights with open_clip_config.json beside them."""
    cfg = {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": text, **more}
    settings = json.loads(json.dumps(cfg))
    custom_text = settings.pop("custom_text", False)
    model = randomise((open_clip.model.CustomTextCLIP if custom_text else open_clip.model.CLIP)(**settings))
    text_tower = model.text if custom_text else model

    def save(folder: Path) -> Path:
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": cfg}))
        return folder / "open_clip_model.safetensors"

    return Case(
        model,
        save,
        {
            **image_stages(model.visual),
            **{f"text {i}": block for i, block in enumerate(text_tower.transformer.resblocks)},
        },
        vision["image_size"],
        text["context_length"],
        text["vocab_size"],
    )


def image_stages(visual: nn.Module) -> dict[str, nn.Module]:
    timm_tower = hasattr(visual, "trunk")
    blocks = visual.trunk.blocks if timm_tower else visual.transformer.resblocks
    return {
        "patches": _timm_patches(visual.trunk.patch_embed) if timm_tower else visual.conv1,
        **{f"visual {i}": block for i, block in enumerate(blocks)},
        "pooled": visual,
    }


def _timm_patches(patch_embed: nn.Module) -> nn.Module:
    return patch_embed.backbone if hasattr(patch_embed, "backbone") else patch_embed.proj


def clip_case(head_width: int = 64, **more: Any) -> Case:
    return open_clip_case(
        {"image_size": 28, "patch_size": 7, "width": 2 * head_width, "layers": 2, "head_width": head_width},
        {"context_length": 20, "vocab_size": VOCAB, "width": 128, "heads": 2, "layers": 2},
        **more,
    )


def clipa_case() -> Case:
    case = open_clip_case(
        {
            "image_size": 28,
            "patch_size": 7,
            "width": 64,
            "layers": 2,
            "head_width": 32,
            "no_ln_pre": True,
            "pool_type": "avg",
            "final_ln_after_pool": True,
        },
        {
            "context_length": 12,
            "vocab_size": 500,
            "width": 64,
            "heads": 2,
            "layers": 2,
            "pool_type": "last",
            "no_causal_mask": True,
            "hf_tokenizer_name": "x",
        },
    )
    return with_tokenizer(case)


def average_case() -> Case:
    """Patches normed, then averaged; an odd MLP width and epsilon."""
    return open_clip_case(
        {
            "image_size": 30,
            "patch_size": 7,
            "width": 64,
            "layers": 2,
            "head_width": 32,
            "mlp_ratio": 4.3637,
            "pool_type": "avg",
            "norm_kwargs": {"eps": 1e-3},
        },
        {
            "context_length": 20,
            "vocab_size": VOCAB,
            "width": 64,
            "heads": 2,
            "layers": 2,
            "act_kwargs": {"approximate": "tanh"},
        },
        init_logit_bias=-3,
    )


COCA_TOWERS: dict[str, Any] = {
    "vision": {"image_size": 28, "patch_size": 7, "width": 64, "layers": 2, "head_width": 32, "attn_pooler_heads": 4},
    "text": {"context_length": 19, "vocab_size": VOCAB, "width": 64, "heads": 2, "layers": 2, "embed_cls": True},
}


def coca_case() -> Case:
    """What is left of a CoCa without its decoder: the towers, pooled by the one query that makes the embedding."""
    pool = {"attentional_pool": True, "attn_pooler_queries": 1}
    return open_clip_case(COCA_TOWERS["vision"] | pool, COCA_TOWERS["text"], custom_text=True)


def small_tower(name: str, of: str, towers: dict[str, Any], tower: Any, **sizes: Any) -> None:
    """Makes a small version of timm's tower `of` known under a name, to timm and here. sizes: timm's arguments."""

    def create(pretrained: bool = False, **more: Any) -> nn.Module:
        return timm.create_model(of, **sizes, **more)

    create.__name__ = name
    timm.models.register_model(create)
    towers[name] = tower


_SIZES = {"img_size": 30, "patch_size": 7, "embed_dim": 64, "depth": 2, "num_heads": 2}
for _name, _of, _more in (
    ("vit_pe_core_small_for_tests", "vit_pe_core_tiny_patch16_384", {}),
    ("vit_pe_core_plain_for_tests", "vit_pe_core_gigantic_patch14_448", {"mlp_width": 96, "class_token": False}),
):
    _tower = perception_encoder(30, 7, 64, 2, 2, **_more)
    _ratio = {"mlp_ratio": _tower.mlp_width / 64, "ref_feat_shape": (4, 4)}
    small_tower(_name, _of, PERCEPTION_ENCODERS, _tower, **_SIZES, **_ratio)


for _name, _of, _tower in (
    ("eva_small_for_tests", "eva_giant_patch14_224", eva(30, 7, 64, 2, 2, 112)),
    ("eva02_small_for_tests", "eva02_base_patch16_clip_224", eva(30, 7, 64, 2, 2, 112, "sub_norm")),
    ("eva02_post_norm_for_tests", "eva02_enormous_patch14_clip_224", eva(30, 7, 64, 2, 2, 112, "res_post_norm")),
):
    small_tower(_name, _of, EVAS, _tower, **_SIZES, mlp_ratio=112 / 64)


def small_hybrid(pretrained: bool = False, **more: Any) -> nn.Module:
    """timm's vit_base_mci_224 with a stem for fewer channels, which its own function has no argument for."""
    hybrid_module = timm.models.vision_transformer_hybrid
    stem = hybrid_module.ConvStem(channels=(16, 16, 64), stride=(2, 2, 2), kernel_size=2, padding=0, act_layer=nn.GELU)
    sizes = {"img_size": 32, "embed_dim": 64, "depth": 2, "num_heads": 2, "no_embed_class": True}
    return hybrid_module._create_vision_transformer_hybrid(
        "vit_base_mci_224", backbone=stem, embed_args={"proj": False}, pretrained=False, **sizes, **more
    )


small_hybrid.__name__ = "vit_small_hybrid_for_tests"
timm.models.register_model(small_hybrid)
HYBRIDS["vit_small_hybrid_for_tests"] = hybrid(32, 8, 64, 2, 2)
small_tower("vit_small_clip_for_tests", "vit_large_patch14_clip_224", CLIP_VITS, clip_vit(30, 7, 64, 2, 2), **_SIZES)


def timm_case(name: str, pool: str = "token", image_size: int = 30, causal: bool = True, **more: Any) -> Case:
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": None, "image_size": image_size}
    text = {"context_length": 12, "vocab_size": VOCAB, "width": 64, "heads": 2, "layers": 2}
    return open_clip_case(vision, text | ({} if causal else {"no_causal_mask": True}), custom_text=True, **more)


def worldwide_case() -> Case:
    text = {"context_length": 12, "vocab_size": 500, "width": 64, "heads": 2, "layers": 2}
    case = open_clip_case(
        {"image_size": 28, "patch_size": 7, "width": 64, "layers": 2, "head_width": 32},
        {**text, "pool_type": "eos", "eos_id": 2, "hf_tokenizer_name": "x"},
    )
    return with_tokenizer(case)


BERT = {
    "vocab_size": 500,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def encoder_case(vision: dict[str, Any], config: transformers.PretrainedConfig, **text: Any) -> Case:
    """A model of open_clip with a text tower of transformers, of the config in a folder: it has no name on the hub."""
    folder = tempfile.mkdtemp()
    config.save_pretrained(folder)
    text = {"hf_model_name": folder, "hf_model_pretrained": False, "hf_tokenizer_name": "x", **text}
    cfg = {"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}
    model = randomise(open_clip.model.CustomTextCLIP(**json.loads(json.dumps(cfg))))

    def save(folder: Path) -> Path:
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": cfg}))
        return folder / "open_clip_model.safetensors"

    encoder = model.text.transformer
    layers = encoder.layers if config.model_type == "m2m_100" else encoder.encoder.layer
    stages = {
        **image_stages(model.visual),
        **{f"text {i}": block for i, block in enumerate(layers)},
    }
    sizes = vision["image_size"], text["context_length"], config.vocab_size
    return with_tokenizer(Case(model, save, stages, *sizes, pad_id=config.pad_token_id))


SMALL_VIT = {"image_size": 28, "patch_size": 7, "width": 64, "layers": 2, "head_width": 32}


def biomed_case(pool: str = "", **text: Any) -> Case:
    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": pool, "timm_proj": "linear", "image_size": 224}
    text = {"hf_proj_type": "mlp", "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 12} | text
    return encoder_case(vision, transformers.BertConfig(**BERT, max_position_embeddings=16), **text)


def bert_case(**text: Any) -> Case:
    config = transformers.BertConfig(**BERT, max_position_embeddings=12, hidden_act="gelu_new", layer_norm_eps=1e-3)
    return encoder_case(SMALL_VIT, config, context_length=12, **text)


def roberta_case(config: type[transformers.PretrainedConfig], **text: Any) -> Case:
    """RoBERTa's positions: the longest caption needs the last row of the table."""
    roberta = config(**BERT, max_position_embeddings=14, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)
    return encoder_case(SMALL_VIT, roberta, context_length=12, **text)


def nllb_case() -> Case:
    sizes = {"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 112}
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 8}
    config = transformers.M2M100Config(vocab_size=500, max_position_embeddings=12, **sizes, **decoder)
    return encoder_case(SMALL_VIT, config, context_length=12, hf_proj_type="linear", hf_pooler_type="cls_pooler")


def hf_clip_case(act: str = "quick_gelu") -> Case:
    both = {"hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**both, "vocab_size": VOCAB, "max_position_embeddings": 20, "hidden_act": act},
        vision_config={**both, "image_size": 28, "patch_size": 7, "hidden_act": act},
        projection_dim=48,
    )
    return _hf_case(transformers.CLIPModel(config), 28, 20, VOCAB)


def hf_metaclip2_case() -> Case:
    """It pools at the end token 2, which CLIPModel does not."""
    both = {"hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.MetaClip2Config(
        text_config={**both, "vocab_size": 500, "max_position_embeddings": 12, "eos_token_id": 2},
        vision_config={**both, "image_size": 28, "patch_size": 7},
        projection_dim=48,
    )
    return with_tokenizer(_hf_case(transformers.MetaClip2Model(config), 28, 12, 500))


def hf_chinese_clip_case() -> Case:
    vision = {"hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.ChineseCLIPConfig(
        text_config={**BERT, "max_position_embeddings": 12},
        vision_config={**vision, "image_size": 28, "patch_size": 7},
        projection_dim=48,
    )
    return with_tokenizer(_hf_case(transformers.ChineseCLIPModel(config), 28, 12, 500))


def hf_siglip_case(projection: int = 64) -> Case:
    both = {"hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.SiglipConfig(
        text_config={**both, "vocab_size": 500, "max_position_embeddings": 12, "projection_size": projection},
        vision_config={**both, "image_size": 30, "patch_size": 7},
    )
    return with_tokenizer(_hf_case(transformers.SiglipModel(config), 30, 12, 500))


def _hf_case(model: nn.Module, image_size: int, context_length: int, vocab_size: int) -> Case:
    randomise(model)

    def save(folder: Path) -> Path:
        model.save_pretrained(folder)
        return folder

    vision, text = model.vision_model, model.text_model
    stages = {
        "patches": vision.embeddings.patch_embedding,
        **{f"visual {i}": layer for i, layer in enumerate(vision.encoder.layers)},
        **{f"text {i}": layer for i, layer in enumerate(getattr(text.encoder, "layers", None) or text.encoder.layer)},
    }
    return Case(model, save, stages, image_size, context_length, vocab_size, hf=True)


def with_tokenizer(case: Case) -> Case:
    """The same, with a tokenizer of a few words in the folder."""
    plain = case.save

    def save(folder: Path) -> Path:
        write_tokenizer(folder)
        return plain(folder)

    case.save = save
    return case


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<pad>", "<unk>", "</s>", "a", "photo", "of", "no", "cat", "dog"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **special}))


CASES: dict[str, Callable[[], Case]] = {
    **{f"CLIP, heads of {width}": lambda width=width: clip_case(width) for width in HEAD_WIDTHS},
    "CLIP, quick_gelu": lambda: clip_case(quick_gelu=True),
    "CLIPA": clipa_case,
    "average, eps, tanh, bias": average_case,
    "worldwide": worldwide_case,
    "CoCa's towers": coca_case,
    "MobileCLIP": lambda: timm_case("vit_small_hybrid_for_tests", image_size=32),
    "MobileCLIP2-L": lambda: timm_case("vit_small_clip_for_tests", causal=False, quick_gelu=True),
    "EVA01": lambda: timm_case("eva_small_for_tests", quick_gelu=True),
    "EVA02": lambda: timm_case("eva02_small_for_tests"),
    "EVA02, post-norm": lambda: timm_case("eva02_post_norm_for_tests"),
    "PE-Core": lambda: timm_case("vit_pe_core_small_for_tests", "map"),
    "PE-Core without class token": lambda: timm_case("vit_pe_core_plain_for_tests", "map", quick_gelu=True),
    "BiomedCLIP": biomed_case,
    "BERT, patches averaged": lambda: biomed_case("avg", hf_proj_type="linear"),
    "BERT, pooler": lambda: bert_case(hf_pooler_type="cls_pooler", hf_proj_type="linear"),
    "RoBERTa": lambda: roberta_case(transformers.RobertaConfig, hf_pooler_type="mean_pooler"),
    "XLM-R": lambda: roberta_case(transformers.XLMRobertaConfig, hf_pooler_type="cls_last_hidden_state_pooler"),
    "NLLB": nllb_case,
    "transformers' CLIP": hf_clip_case,
    "transformers' CLIP, gelu": lambda: hf_clip_case("gelu"),
    "transformers' MetaCLIP 2": hf_metaclip2_case,
    "transformers' Chinese-CLIP": hf_chinese_clip_case,
    "transformers' SigLIP": hf_siglip_case,
}
