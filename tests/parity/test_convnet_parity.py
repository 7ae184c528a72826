"""Convolutional image towers against open_clip: from the JPEG to the cosine, gradients, files back and forth."""

import copy
import json
import math

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")

from etils import epath  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support.torch_models import randomise  # noqa: E402
from support.trees import unit  # noqa: E402

import negjax  # noqa: E402
from negjax.models import clip  # noqa: E402
from negjax.models.architecture import from_dict, to_dict  # noqa: E402
from negjax.models.presets import preset  # noqa: E402
from negjax.weights.entries import entries  # noqa: E402
from negjax.weights.families.table import all_formats  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402
from negjax.weights.write import write_negjax, write_open_clip  # noqa: E402

TEXT = {"context_length": 20, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}
TOWERS = {
    "ResNet": {"image_size": 64, "layers": [2, 1, 1, 2], "width": 16, "head_width": 64, "patch_size": None},
    "ConvNeXt": {"image_size": 64, "timm_model_name": "convnext_tiny", "timm_pool": "", "timm_proj": "linear"},
    "ConvNeXt, mlp": {"image_size": 32, "timm_model_name": "convnext_tiny", "timm_pool": "", "timm_proj": "mlp"},
}
CAPTIONS = ["a kitchen with no people", "two dogs on a beach, but no ball", "no cat"]


def randomise_convolutions(model):
    """Kernels that keep the size of activations."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 4:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise / math.sqrt(parameter[0].numel()))
    return model


def weights(model):
    return {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}


@pytest.fixture(scope="module", params=TOWERS)
def case(request, tmp_path_factory):
    """A small model of open_clip, the folder of its weights, pixels [B, 3, S, S] and ids [B, T]."""
    cfg = {"embed_dim": 48, "vision_cfg": TOWERS[request.param], "text_cfg": TEXT, "quick_gelu": True}
    theirs = randomise_convolutions(randomise(open_clip.model.CLIP(**copy.deepcopy(cfg))))
    folder = tmp_path_factory.mktemp("weights")
    save_file(theirs.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": cfg}))
    rng, size = np.random.default_rng(0), TOWERS[request.param]["image_size"]
    tokens = rng.integers(1, 49000, (4, 20))
    tokens[:, 12] = 49407
    return theirs, folder, rng.normal(size=(4, 3, size, size)).astype(np.float32), tokens


def test_embeddings_and_gradients(case):
    theirs, folder, pixels, tokens = case
    theirs.zero_grad()
    image = theirs.encode_image(torch.from_numpy(pixels), normalize=True)
    text = theirs.encode_text(torch.from_numpy(tokens), normalize=True)
    logits = theirs.logit_scale.exp() * image @ text.T
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(logits)))
    loss.backward()
    theirs_grads = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    model = read_model(folder)
    assert model.config.activation == "quick_gelu"

    def own_loss(params):
        own_image = clip.encode_image(model.config, params, pixels.transpose(0, 2, 3, 1))
        own_text = clip.encode_text(model.config, params, tokens)
        own_image, own_text = (x / jax.numpy.linalg.norm(x, axis=1, keepdims=True) for x in (own_image, own_text))
        logits = jax.numpy.exp(params["logit_scale"]) * own_image @ own_text.T
        return -jax.numpy.diag(jax.nn.log_softmax(logits)).mean(), (own_image, own_text)

    (value, embeddings), grads = jax.jit(jax.value_and_grad(own_loss, has_aux=True))(model.params)
    np.testing.assert_allclose(embeddings[0], image.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(embeddings[1], text.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(value, loss.item(), rtol=1e-4)
    flat, checked = clip.flatten_params(grads), set()
    total = np.sqrt(sum(float(np.sum(np.square(grad.numpy()))) for grad in theirs_grads.values()))
    format = next(format for format in all_formats() if format.name == model.origin["format"])
    for entry in entries(format, model.config):
        if all(name in theirs_grads for name in entry.names):  # the statistics of batch norms are none
            want = entry.layout.read([theirs_grads[name].numpy() for name in entry.names])
            scale = max(np.linalg.norm(want), 1e-3 * total)
            assert np.linalg.norm(flat[entry.path] - want) <= 1e-4 * scale, entry.path
            checked |= set(entry.names)
    assert checked == theirs_grads.keys()


def test_back_and_forth(case, tmp_path):
    theirs, folder, pixels, tokens = case
    model = read_model(folder)
    assert from_dict(json.loads(json.dumps(to_dict(model.config)))) == model.config
    write_negjax(model, tmp_path / "ours")
    back = read_model(tmp_path / "ours")
    assert back.config == model.config
    write_open_clip(back, tmp_path / "back")
    again = open_clip.create_model(f"local-dir:{tmp_path / 'back'}").eval()
    written = load_file(tmp_path / "back/open_clip_model.safetensors")
    assert written.keys() == weights(theirs).keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in weights(theirs).items())
    with torch.no_grad():
        pixels, tokens = torch.from_numpy(pixels), torch.from_numpy(tokens)
        torch.testing.assert_close(again.encode_image(pixels), theirs.encode_image(pixels), rtol=0, atol=1e-5)
        torch.testing.assert_close(again.encode_text(tokens), theirs.encode_text(tokens), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["RN50", "RN50-quickgelu", "convnext_base_w"])
def test_from_the_jpeg_to_the_cosine(name, test_data, tmp_path):
    theirs, _, transform = open_clip.create_model_and_transforms(name)
    randomise_convolutions(randomise(theirs))
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    model, preprocess, tokenize = negjax.load(tmp_path / "weights.safetensors", arch=name)
    photos = sorted((test_data / "coco_val2017").glob("*.jpg"))[:3]
    tokens = np.asarray(tokenize(CAPTIONS))
    np.testing.assert_array_equal(tokens, open_clip.get_tokenizer(name)(CAPTIONS).numpy())
    with torch.no_grad():
        image = theirs.encode_image(torch.stack([transform(Image.open(p)) for p in photos]), normalize=True).numpy()
        text = theirs.encode_text(torch.from_numpy(tokens).long(), normalize=True).numpy()
    own_image = unit(model.encode_image(np.stack([preprocess(photo) for photo in photos])))
    np.testing.assert_allclose(own_image, image, atol=1e-4)
    np.testing.assert_allclose(own_image @ unit(model.encode_text(tokens)).T, image @ text.T, atol=1e-4)
    assert np.abs(image[0] - image[1]).max() > 1e-3


def test_an_openai_archive_of_a_resnet(tmp_path):
    """As OpenAI published them: TorchScript, half precision but for the norms, three sizes beside the weights."""
    theirs = open_clip.model.CLIP(48, {**TOWERS["ResNet"]}, {**TEXT}, quick_gelu=True)
    randomise_convolutions(randomise(theirs))

    class Archive(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.visual, self.transformer, self.token_embedding = model.visual, model.transformer, model.token_embedding
            self.positional_embedding, self.text_projection = model.positional_embedding, model.text_projection
            self.ln_final, self.logit_scale = model.ln_final, model.logit_scale
            for name, value in (("input_resolution", 64), ("context_length", 20), ("vocab_size", 49408)):
                self.register_buffer(name, torch.tensor(value))

        def forward(self, x):
            return self.visual(x)

    archive = torch.jit.trace(Archive(theirs), torch.zeros(1, 3, 64, 64), check_trace=False)
    for module in archive.modules():
        if module.original_name in ("Conv2d", "Linear"):
            module.half()
    torch.jit.save(archive, tmp_path / "RN.pt")
    model = read_model(tmp_path / "RN.pt")
    assert (model.config.family, model.config.activation) == ("resnet", "quick_gelu")
    for module in theirs.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.half().float()
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        image = theirs.encode_image(pixels, normalize=True).numpy()
    own = unit(clip.encode_image(model.config, model.params, pixels.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(own, image, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in open_clip.list_models() if n.startswith(("RN", "convnext_", "coca_ViT"))])
def test_the_presets_are_open_clips(name):
    from negjax.weights.open_clip_config import read_model_cfg

    theirs = read_model_cfg(open_clip.get_model_config(name), epath.Path())
    assert theirs == preset(name)
