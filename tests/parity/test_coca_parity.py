"""The towers of CoCa models: read without the decoder, from the JPEG to the cosine as open_clip and CONCH's code do."""

import json
import logging

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
timm = pytest.importorskip("timm")

from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support.torch_models import COCA_TOWERS, randomise, write_tokenizer  # noqa: E402
from support.trees import unit  # noqa: E402
from torch import nn  # noqa: E402

import negjax  # noqa: E402
from negjax.errors import NegjaxError  # noqa: E402
from negjax.models import clip  # noqa: E402
from negjax.models.architecture import from_dict, to_dict  # noqa: E402
from negjax.models.presets import preset  # noqa: E402
from negjax.weights.positions import resize_positions  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402
from negjax.weights.write import write_hf, write_negjax, write_open_clip  # noqa: E402

CAPTIONS = ["a kitchen with no people", "two dogs on a beach, but no ball", "no cat", "no " * 90]


def test_a_whole_coca_from_the_jpeg_on(test_data, tmp_path, caplog):
    theirs, _, transform = open_clip.create_model_and_transforms("coca_ViT-B-32")
    randomise(theirs)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    with caplog.at_level(logging.INFO, "negjax"):
        model, preprocess, tokenize = negjax.load(tmp_path / "weights.safetensors", arch="coca_ViT-B-32")
    decoder = [name for name in theirs.state_dict() if name.startswith("text_decoder.")]
    assert f"{len(decoder)} tensors (text_decoder.*) are left out" in caplog.text
    photos = sorted((test_data / "coco_val2017").glob("*.jpg"))[:3]
    tokens = np.asarray(tokenize(CAPTIONS))
    np.testing.assert_array_equal(tokens, open_clip.get_tokenizer("coca_ViT-B-32")(CAPTIONS).numpy())
    with torch.no_grad():
        images = torch.stack([transform(Image.open(photo)) for photo in photos])
        image = theirs.encode_image(images).numpy()
        text = theirs.encode_text(torch.from_numpy(tokens).long()).numpy()
    own_image = unit(model.encode_image(np.stack([preprocess(photo) for photo in photos])))
    own_text = unit(model.encode_text(tokens))
    np.testing.assert_allclose(own_image, image, atol=1e-4)
    np.testing.assert_allclose(own_text, text, atol=1e-4)
    np.testing.assert_allclose(own_image @ own_text.T, image @ text.T, atol=1e-4)
    # By its name open_clip would make a whole CoCa, whose decoder is missing.
    whole = read_model(tmp_path / "weights.safetensors", arch="coca_ViT-B-32")
    with pytest.raises(NegjaxError, match="no name for the towers of coca_ViT-B-32 alone: give a folder"):
        write_open_clip(whole, tmp_path / "out.safetensors")


def coca_file(folder, **more):
    """A small CoCa with its decoder and 5 queries, of which the first makes the embedding."""
    cfg = {
        "embed_dim": 48,
        "vision_cfg": COCA_TOWERS["vision"] | {"attentional_pool": True, "attn_pooler_queries": 5},
        "text_cfg": COCA_TOWERS["text"] | {"output_tokens": True},
        "multimodal_cfg": {"context_length": 19, "vocab_size": 49408, "width": 48, "heads": 2, "layers": 1},
    }
    cfg["vision_cfg"]["output_tokens"] = True
    theirs = randomise(open_clip.coca_model.CoCa(**json.loads(json.dumps(cfg))))
    save_file(theirs.state_dict(), folder / "open_clip_model.safetensors")
    cfg |= {"custom_text": True, **more}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": cfg}))
    return theirs


def padded_tokens():
    """A caption that fills the context, short ones, and one with the padding's id among its words."""
    tokens = np.zeros((4, 19), np.int64)
    for row, length in zip(tokens, (19, 5, 18, 9)):
        row[:length] = np.random.default_rng(length).integers(1, 49000, length)
    tokens[3, 4] = 0
    return tokens


def test_padding_and_queries_of_a_coca(tmp_path):
    theirs, tokens = coca_file(tmp_path), padded_tokens()
    model = read_model(tmp_path)
    pixels = np.random.default_rng(0).normal(size=(2, 3, 28, 28)).astype(np.float32)
    with torch.no_grad():
        image = theirs.encode_image(torch.from_numpy(pixels)).numpy()
        text = theirs.encode_text(torch.from_numpy(tokens)).numpy()
    np.testing.assert_allclose(unit(clip.encode_text(model.config, model.params, tokens)), text, atol=1e-5)
    own_image = unit(clip.encode_image(model.config, model.params, pixels.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(own_image, image, atol=1e-5)
    assert from_dict(json.loads(json.dumps(to_dict(model.config)))) == model.config


def test_a_coca_goes_back_as_its_two_towers(tmp_path):
    theirs, tokens = coca_file(tmp_path), torch.from_numpy(padded_tokens())
    write_negjax(read_model(tmp_path), tmp_path / "ours")
    write_open_clip(read_model(tmp_path / "ours"), tmp_path / "back")
    again = open_clip.create_model(f"local-dir:{tmp_path / 'back'}").eval()
    assert type(again).__name__ == "CustomTextCLIP"
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(again.encode_image(pixels, True), theirs.encode_image(pixels), rtol=0, atol=1e-6)
        torch.testing.assert_close(again.encode_text(tokens, True), theirs.encode_text(tokens), rtol=0, atol=1e-6)
    back, there = load_file(tmp_path / "back/open_clip_model.safetensors"), theirs.state_dict()
    assert {name for name in there if not name.startswith("text_decoder.")} == back.keys()
    assert all(torch.equal(back[name], there[name]) for name in back if name != "visual.attn_pool.query")
    assert torch.equal(back["visual.attn_pool.query"], there["visual.attn_pool.query"][:1])


@pytest.mark.parametrize(
    ("setting", "value"), [("attentional_pool", "parallel"), ("pool_type", "avg"), ("norm_kwargs", {"eps": 1e-3})]
)
def test_other_attentional_pools_are_refused(setting, value, tmp_path):
    coca_file(tmp_path)
    config = json.loads((tmp_path / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"][setting] = value
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(NegjaxError, match="only that of open_clip's CoCa models is supported"):
        read_model(tmp_path)


class Conch(nn.Module):
    """The towers of CONCH, put together as mahmoodlab/CONCH does, of timm's and open_clip's parts."""

    def __init__(self):
        super().__init__()
        self.visual = nn.Module()
        self.visual.trunk = timm.models.VisionTransformer(448, 16, num_classes=0)
        for name, width, queries in (("contrast", 512, 1), ("caption", 768, 4)):
            pool = open_clip.transformer.AttentionalPooler(width, 768, n_head=8, n_queries=queries)
            self.visual.add_module(f"attn_pool_{name}", pool)
            self.visual.add_module(f"ln_{name}", nn.LayerNorm(width))
        self.visual.proj_contrast = nn.Parameter(torch.zeros(512, 512))
        self.text = open_clip.transformer.TextTransformer(127, 32007, 768, 12, 12, output_dim=512, embed_cls=True)
        self.text_decoder = nn.Linear(2, 2)
        self.logit_scale = nn.Parameter(torch.tensor(4.0))

    def encode_image(self, pixels):
        tokens = self.visual.trunk.forward_features(pixels)
        pooled = self.visual.ln_contrast(self.visual.attn_pool_contrast(tokens)[:, 0])
        return nn.functional.normalize(pooled @ self.visual.proj_contrast, dim=-1)


def test_conch(test_data, tmp_path):
    theirs, photo = randomise(Conch()), test_data / "coco_val2017/000000000139.jpg"
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    write_tokenizer(tmp_path)
    model, preprocess, tokenize = negjax.load(tmp_path, arch="conch_ViT-B-16")
    tokens = tokenize(["a photo of no cat", "dog"])
    assert tokens.shape == (2, 127)
    np.testing.assert_array_equal(tokens[:, :7], [[3, 4, 5, 6, 7, 2, 0], [8, 2, 0, 0, 0, 0, 0]])
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    transform = open_clip.transform.image_transform(448, False, mean, std)
    image = transform(Image.open(photo))[None]
    with torch.no_grad():
        want_image = theirs.encode_image(image).numpy()
        want_text = nn.functional.normalize(theirs.text(torch.from_numpy(tokens).long()), dim=-1).numpy()
    np.testing.assert_allclose(unit(model.encode_image(preprocess(photo)[None])), want_image, atol=1e-4)
    np.testing.assert_allclose(unit(model.encode_text(tokens)), want_text, atol=1e-4)
    loaded = read_model(tmp_path, arch="conch_ViT-B-16")
    assert loaded.origin["format"] == "conch"
    with pytest.raises(NegjaxError, match="open_clip has no image tower like CONCH's: only --to negjax is possible"):
        write_open_clip(loaded, tmp_path / "back")
    with pytest.raises(NegjaxError, match="transformers has no model of this form"):
        write_hf(loaded, tmp_path / "back")


def test_the_positions_of_conch_are_resized_as_its_code_does():
    positions = np.random.default_rng(0).normal(size=(14 * 14 + 1, 6)).astype(np.float32)
    grid = torch.from_numpy(positions[1:]).reshape(1, 14, 14, 6).permute(0, 3, 1, 2)
    resized = nn.functional.interpolate(grid, (28, 28), mode="bilinear", antialias=False)
    want = np.concatenate([positions[:1], resized[0].flatten(1).T.numpy()])
    np.testing.assert_allclose(resize_positions(positions, preset("conch_ViT-B-16")), want, atol=1e-6)
