"""Models with text encoders of transformers, from the JPEG and the caption on, and back in their own library."""

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from support.tokenizer_folders import bert, nllb, roberta, xlm_roberta  # noqa: E402
from support.torch_models import randomise  # noqa: E402
from support.trees import unit  # noqa: E402
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (  # noqa: E402
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil  # noqa: E402

import negjax  # noqa: E402
from negjax.cli import main  # noqa: E402
from negjax.models.encoders import known_encoder  # noqa: E402

CAPTIONS = [
    "A kitchen with no people",
    "there is  no dog, but a Cat &amp; two umbrellas.",
    "",
    "the crème brûlée isn't in the picture" * 3,
    "寿司 пельмени قطة",
    "a photo of a [PAD] <pad> cat",
]
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
TIMM = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "linear", "image_size": 224}
VIT = {"image_size": 56, "patch_size": 14, "width": 64, "layers": 2, "head_width": 32}
RETRIEVAL = {"hf_proj_type": "mlp", "hf_pooler_type": "mean_pooler"}
NLLB = {"hf_proj_type": "linear", "hf_pooler_type": "cls_pooler"}


def m2m100(size: int) -> transformers.M2M100Config:
    sizes = {"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 96}
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 8}
    return transformers.M2M100Config(vocab_size=size, max_position_embeddings=50, **sizes, **decoder)


MODELS = {
    "BiomedCLIP": (
        bert,
        lambda size: transformers.BertConfig(**SIZES, vocab_size=size),
        {"vision_cfg": TIMM},
        {"hf_proj_type": "mlp", "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 40},
    ),
    "roberta-ViT-B-32": (
        roberta,
        lambda size: transformers.RobertaConfig(
            **SIZES, vocab_size=size, max_position_embeddings=79, type_vocab_size=1, layer_norm_eps=1e-5
        ),
        {"vision_cfg": VIT, "quick_gelu": True},
        RETRIEVAL,
    ),
    "xlm-roberta-base-ViT-B-32": (
        xlm_roberta,
        lambda size: transformers.XLMRobertaConfig(
            **SIZES, vocab_size=size, max_position_embeddings=79, type_vocab_size=1, layer_norm_eps=1e-5
        ),
        {"vision_cfg": VIT},
        RETRIEVAL,
    ),
    "nllb-clip-base": (nllb, lambda size: m2m100(size), {"vision_cfg": VIT}, NLLB),
    "nllb-clip-base-siglip": (
        nllb,
        lambda size: m2m100(size),
        {
            "embed_dim": 768,
            "init_logit_bias": -10,
            "vision_cfg": {
                "image_size": 384,
                "timm_model_name": "vit_base_patch16_siglip_384",
                "timm_model_pretrained": False,
                "timm_pool": "map",
                "timm_proj": "none",
            },
        },
        NLLB,
    ),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    """JPEG files of three shapes, of smooth noise."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = []
    for size in ((300, 260), (180, 400), (64, 50)):
        noise = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        noise.save(folder / f"{size[0]}.jpg", quality=90)
        paths.append(folder / f"{size[0]}.jpg")
    return paths


def build(folder: Path, make_tokenizer, make_config, model_cfg, text_cfg) -> None:
    """The model in the form that open_clip's "local-dir:" and "hf-hub:" read, with its tokenizer."""
    make_tokenizer(folder)
    config = make_config(len(transformers.AutoTokenizer.from_pretrained(folder)))
    encoder = tempfile.mkdtemp()
    config.save_pretrained(encoder)
    text_cfg = {"hf_model_name": encoder, "hf_tokenizer_name": encoder, **text_cfg}
    cfg = {"model_cfg": {"embed_dim": 40, **model_cfg, "text_cfg": text_cfg}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(cfg))
    model = randomise(open_clip.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False))
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")


def embedded_by_open_clip(folder: Path, photos: list[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token ids, and embeddings of unit length of photographs and captions."""
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    token_NT = open_clip.get_tokenizer(f"local-dir:{folder}")(CAPTIONS)
    with torch.no_grad():
        image = model.eval().encode_image(torch.stack([transform(Image.open(path)) for path in photos]), normalize=True)
        text = model.encode_text(token_NT, normalize=True)
    return token_NT.numpy(), image.numpy(), text.numpy()


def metaclip2(folder: Path) -> None:
    """Its tokenizer and processor are XLM-RoBERTa's and CLIP's."""
    xlm_roberta(folder)
    text = {**SIZES, "vocab_size": 60, "max_position_embeddings": 30, "eos_token_id": 2}
    vision = {**SIZES, "image_size": 56, "patch_size": 14}
    config = transformers.MetaClip2Config(text_config=text, vision_config=vision, projection_dim=40)
    randomise(transformers.MetaClip2Model(config)).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=56).save_pretrained(folder)


def chinese_clip(folder: Path) -> None:
    """Squashed pictures, and a BERT's tokenizer."""
    bert(folder)
    text = {**SIZES, "vocab_size": 300, "max_position_embeddings": 30}
    vision = {**SIZES, "image_size": 56, "patch_size": 14}
    config = transformers.ChineseCLIPConfig(text_config=text, vision_config=vision, projection_dim=40)
    model = randomise(transformers.ChineseCLIPModel(config))
    model.text_model.embeddings.word_embeddings.weight.data[0] = 0  # as from_pretrained makes it
    model.save_pretrained(folder)
    square = {"height": 56, "width": 56}
    ChineseCLIPImageProcessorPil(size=square, do_center_crop=False).save_pretrained(folder)


def embedded_by_transformers(folder: Path, photos: list[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token ids, and embeddings of unit length of photographs and captions."""
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        CAPTIONS, padding="max_length", truncation=True, max_length=30, return_tensors="pt"
    )
    chinese = "chinese" in (folder / "config.json").read_text()
    processor = ChineseCLIPImageProcessorPil if chinese else CLIPImageProcessorPil
    pixels = processor.from_pretrained(folder)([Image.open(path) for path in photos], return_tensors="pt")
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        out = model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=pixels.pixel_values)
    return tokens.input_ids.numpy(), out.image_embeds.numpy(), out.text_embeds.numpy()


@pytest.mark.parametrize("save", [metaclip2, chinese_clip])
def test_folders_of_transformers_from_the_jpeg_and_the_caption_on_and_back(save, photos, tmp_path):
    save(tmp_path / "theirs")
    token_NT, image, text = embedded_by_transformers(tmp_path / "theirs", photos)
    model, preprocess, tokenize = negjax.load(tmp_path / "theirs")
    np.testing.assert_array_equal(tokenize(CAPTIONS), token_NT)
    own_image = unit(model.encode_image(np.stack([preprocess(path) for path in photos])))
    np.testing.assert_allclose(own_image, image, atol=1e-5)
    np.testing.assert_allclose(unit(model.encode_text(token_NT)), text, atol=1e-5)

    assert main(["convert", str(tmp_path / "theirs"), str(tmp_path / "ours")]) == 0
    assert main(["convert", str(tmp_path / "ours"), str(tmp_path / "back"), "--to", "hf"]) == 0
    again_NT, again_image, again_text = embedded_by_transformers(tmp_path / "back", photos)
    np.testing.assert_array_equal(again_NT, token_NT)
    np.testing.assert_allclose(again_image, image, atol=1e-6)
    np.testing.assert_allclose(again_text, text, atol=1e-6)


def test_metaclip2_moves_between_open_clip_and_transformers(photos, tmp_path):
    """The same numbers in both libraries, tokenizer included."""
    photos = photos[:2]  # the libraries cut an odd margin of the third at different sides
    metaclip2(tmp_path / "theirs")
    token_NT, image, text = embedded_by_transformers(tmp_path / "theirs", photos)
    assert main(["convert", str(tmp_path / "theirs"), str(tmp_path / "there"), "--to", "open_clip"]) == 0
    there_NT, there_image, there_text = embedded_by_open_clip(tmp_path / "there", photos)
    same = [0, 2, 3, 4]  # open_clip cleans the other texts first
    np.testing.assert_array_equal(there_NT[same], token_NT[same])
    np.testing.assert_allclose(there_image, image, atol=1e-5)
    np.testing.assert_allclose(there_text[same], text[same], atol=1e-5)
    assert main(["convert", str(tmp_path / "there"), str(tmp_path / "back"), "--to", "hf"]) == 0
    _, again_image, again_text = embedded_by_transformers(tmp_path / "back", photos)
    np.testing.assert_allclose(again_image, image, atol=1e-6)
    np.testing.assert_allclose(again_text[same], text[same], atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_from_the_jpeg_and_the_caption_on_and_back(name, photos, tmp_path):
    build(tmp_path / "theirs", *MODELS[name])
    token_NT, image, text = embedded_by_open_clip(tmp_path / "theirs", photos)
    model, preprocess, tokenize = negjax.load(tmp_path / "theirs")
    np.testing.assert_array_equal(tokenize(CAPTIONS), token_NT)
    own_image = unit(model.encode_image(np.stack([preprocess(path) for path in photos])))
    own_text = unit(model.encode_text(token_NT))
    np.testing.assert_allclose(own_image, image, atol=1e-5)
    np.testing.assert_allclose(own_text, text, atol=1e-5)
    np.testing.assert_allclose(own_image @ own_text.T, image @ text.T, atol=1e-5)
    if name == "roberta-ViT-B-32":  # quick_gelu is the image tower's alone
        assert model.config.activation == "quick_gelu/gelu"

    assert main(["convert", str(tmp_path / "theirs"), str(tmp_path / "ours")]) == 0
    assert main(["convert", str(tmp_path / "ours"), str(tmp_path / "back"), "--to", "open_clip"]) == 0
    again_NT, again_image, again_text = embedded_by_open_clip(tmp_path / "back", photos)
    np.testing.assert_array_equal(again_NT, token_NT)
    np.testing.assert_allclose(again_image, image, atol=1e-6)
    np.testing.assert_allclose(again_text, text, atol=1e-6)


def test_a_name_on_the_hub_gives_what_the_tensors_do_not(photos, tmp_path, caplog):
    """BiomedCLIP as published: no config of its encoder. Here two blocks and few tokens, which is said."""
    folder = tmp_path / "theirs"
    vision = {"vision_cfg": TIMM}
    text_cfg = {"hf_proj_type": "mlp", "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 40}
    sizes = SIZES | {"hidden_size": 128, "num_attention_heads": 2}
    build(folder, bert, lambda size: transformers.BertConfig(**sizes, vocab_size=size), vision, text_cfg)
    _, image, text = embedded_by_open_clip(folder, photos)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    model, preprocess, tokenize = negjax.load(folder)
    assert "2 blocks of width 128" in caplog.text
    np.testing.assert_allclose(unit(model.encode_text(tokenize(CAPTIONS))), text, atol=1e-5)
    np.testing.assert_allclose(
        unit(model.encode_image(np.stack([preprocess(path) for path in photos]))), image, atol=1e-5
    )


def test_known_encoders_are_those_of_transformers():
    """The defaults of transformers' classes are the configs of these names."""
    for name, config in (
        ("google-bert/bert-base-uncased", transformers.BertConfig()),
        ("microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract", transformers.BertConfig()),
        ("FacebookAI/roberta-base", transformers.RobertaConfig(max_position_embeddings=514, type_vocab_size=1)),
    ):
        known = known_encoder(name)
        assert (known.vocab_size, known.width, known.depth) == (
            config.vocab_size,
            config.hidden_size,
            config.num_hidden_layers,
        )
        assert (known.heads, known.mlp_width) == (config.num_attention_heads, config.intermediate_size)
        assert (known.max_positions, known.token_types) == (config.max_position_embeddings, config.type_vocab_size)
        assert (known.activation, known.pad_id) == (config.hidden_act, config.pad_token_id)
    assert dataclasses.replace(known_encoder("xlm-roberta-base"), vocab_size=50265) == known_encoder("roberta-base")
