"""The same weights give the same results here and in PyTorch, stage by stage, and are written back unchanged."""

import copy
import dataclasses
import json
from contextlib import ExitStack, contextmanager

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
transformers = pytest.importorskip("transformers")

from safetensors.numpy import load_file  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from support.torch_models import CASES, Case, clip_case, hf_clip_case  # noqa: E402
from support.trees import unit  # noqa: E402

from negjax.media.images import Preprocess  # noqa: E402
from negjax.models import clip  # noqa: E402
from negjax.models.architecture import (  # noqa: E402
    CLIPConfig,
    TextConfig,
    TextEncoderConfig,
    VisionConfig,
    with_activation,
)
from negjax.models.init import init_params  # noqa: E402
from negjax.models.loaded import LoadedModel  # noqa: E402
from negjax.models.presets import PRESETS, preset  # noqa: E402
from negjax.objectives.contrastive import contrastive_loss  # noqa: E402
from negjax.tokenizers.hf import HFTokenizer  # noqa: E402
from negjax.weights.entries import entries  # noqa: E402
from negjax.weights.families.table import all_formats, family_of  # noqa: E402
from negjax.weights.positions import resize_positions  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402
from negjax.weights.write import write_hf, write_negjax, write_open_clip  # noqa: E402


@pytest.fixture(scope="module", params=CASES)
def read(request, tmp_path_factory):
    """A case, the path of its weights, and the model read from there."""
    case = CASES[request.param]()
    path = case.save(tmp_path_factory.mktemp("weights"))
    return case, path, read_model(path)


def inputs(case: Case, batch: int = 3):
    """Normalised pixels [B, 3, S, S]; ids [B, T] with an end token, padded with zeros."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(batch, 3, case.image_size, case.image_size)).astype(np.float32)
    tokens = np.full((batch, case.context_length), case.pad_id, np.int32)
    for row, length in zip(tokens, rng.integers(4, case.context_length + 1, batch)):
        end = case.vocab_size - 1 if case.vocab_size == 49408 else 2
        row[:length] = [*rng.integers(3, case.vocab_size - 2, length - 1), end]
    return pixels, tokens


@contextmanager
def watched(stages):
    """The outputs of these modules while the block runs, by name; channels last."""
    seen = {}

    def keep(name, output):
        array = (output[0] if isinstance(output, tuple) else output).detach().numpy()
        seen[name] = array.transpose(0, 2, 3, 1).reshape(len(array), -1, array.shape[1]) if array.ndim == 4 else array

    with ExitStack() as stack:
        for name, stage in stages.items():
            hook = stage.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
            stack.callback(hook.remove)
        yield seen


def test_every_stage_and_the_cosines(read):
    case, _, model = read
    pixels, tokens = inputs(case)
    with torch.no_grad(), watched(case.stages) as seen:
        image, text = (x.numpy() for x in case.embed(torch.from_numpy(pixels), torch.from_numpy(tokens).long()))
    towers = clip.module(model.config, model.params)
    ours = {"patches": towers.visual.embed_patches(pixels.transpose(0, 2, 3, 1))}
    encoder = isinstance(model.config.text, TextEncoderConfig)
    mask = (tokens != case.pad_id)[:, None] if encoder else towers.text.key_mask(tokens)
    for name, tower, x, visible in (
        ("visual", towers.visual, towers.visual.embed(pixels.transpose(0, 2, 3, 1)), None),
        ("text", towers.text, towers.text.embed(tokens), mask),
    ):
        for i, block in enumerate(tower.transformer.in_order()):
            x = ours[f"{name} {i}"] = block(x, visible)
    ours["pooled"] = towers.visual(pixels.transpose(0, 2, 3, 1))
    for name, theirs in seen.items():
        np.testing.assert_allclose(ours[name], theirs, atol=2e-5 * max(1, np.abs(theirs).max()), err_msg=name)
    own_image = unit(clip.encode_image(model.config, model.params, pixels.transpose(0, 2, 3, 1)))
    own_text = unit(clip.encode_text(model.config, model.params, tokens))
    np.testing.assert_allclose(own_image @ own_text.T, image @ text.T, atol=1e-5)
    np.testing.assert_allclose(own_image, image, atol=1e-5)
    np.testing.assert_allclose(own_text, text, atol=1e-5)
    # The comparison would see it: another activation is far outside of these bounds.
    other = with_activation(model.config, "gelu" if model.config.vision.activation == "quick_gelu" else "quick_gelu")
    wrong = clip.encode_image(other, model.params, pixels.transpose(0, 2, 3, 1))
    assert np.abs(unit(wrong) - image).max() > 2e-4


def test_gradients_of_the_contrastive_loss(read):
    case, _, model = read
    pixels, tokens = inputs(case, 6)
    for parameter in case.model.parameters():
        parameter.grad = None
    image, text = case.embed(torch.from_numpy(pixels), torch.from_numpy(tokens).long())
    logits = case.model.logit_scale.exp() * image @ text.T
    target = torch.arange(len(logits))
    cross_entropy = torch.nn.functional.cross_entropy
    loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
    loss.backward()
    theirs = {name: parameter.grad for name, parameter in case.model.named_parameters()}

    def own_loss(params):
        own_image = clip.encode_image(model.config, params, pixels.transpose(0, 2, 3, 1))
        own_text = clip.encode_text(model.config, params, tokens)
        return contrastive_loss(own_image, own_text, jax.numpy.exp(params["logit_scale"]))[0]

    value, grads = jax.value_and_grad(own_loss)(model.params)
    np.testing.assert_allclose(value, loss.item(), rtol=1e-5)
    flat = {"/".join(key.key for key in path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(grads)}
    checked = 0
    formats = {format.name: format for format in all_formats()}
    for entry in entries(formats[model.origin["format"]], model.config):
        if entry.path.endswith(("/mean", "/variance")):  # statistics of batch norms, which do not learn
            continue
        parts = [theirs[name] for name in entry.names]
        if any(part is None for part in parts):  # the bias of the sigmoid loss
            assert entry.path == "logit_bias"
            continue
        want = entry.layout.read([part.numpy() for part in parts])
        error = np.linalg.norm(flat[entry.path] - want)
        # A key's bias has no effect on a softmax: its gradient is rounding noise in both.
        scale = max(np.linalg.norm(want), 1e-3 * np.sqrt(sum(float(np.sum(np.square(g))) for g in flat.values())))
        assert error <= 1e-4 * scale, f"{entry.path}: {error / scale:.1e}"
        checked += 1
    assert checked > 30


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_round_trip_is_identical_to_the_byte(read, dtype, tmp_path):
    case, *_ = read
    exact = copy.deepcopy(tensors_of(case.model))
    case.model.to(getattr(torch, dtype))
    try:
        source = tmp_path / "source"
        source.mkdir()
        there = read_model(case.save(source))
        write_negjax(there, tmp_path / "ours")
        back = read_model(tmp_path / "ours")
        assert back.tokenizer.to_dict() == there.tokenizer.to_dict()
        assert (back.config, back.preprocess) == (there.config, there.preprocess)
        (write_hf if case.hf else write_open_clip)(back, tmp_path / "back")
        (file,) = (tmp_path / "back").glob("*.safetensors")
        (original,) = source.glob("*.safetensors")
        want, got = load_file(original), load_file(file)
        want = {name: tensor for name, tensor in want.items() if not name.endswith("num_batches_tracked")}
        assert want.keys() == got.keys()
        for name, tensor in want.items():
            assert (got[name].dtype, got[name].shape) == (tensor.dtype, tensor.shape), name
            assert got[name].tobytes() == tensor.tobytes(), name
    finally:
        with torch.no_grad():
            for name, tensor in tensors_of(case.model.float()).items():
                tensor.copy_(exact[name])


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers, also those that state_dict leaves out."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def test_what_was_written_loads_strictly(read, tmp_path):
    """PyTorch's libraries load what was written and give the same embeddings as the original model."""
    case, _, model = read
    pixels, tokens = (torch.from_numpy(x) for x in inputs(case))
    with torch.no_grad():
        image, text = case.embed(pixels, tokens.long())
        if case.hf:
            call = write_hf(model, tmp_path / "out")
            again = called(call)
            config = json.loads((tmp_path / "out/config.json").read_text())
            assert config["text_config"]["hidden_act"] == case.model.config.text_config.hidden_act
            again_image, again_text = Case(**{**vars(case), "model": again}).embed(pixels, tokens.long())
        else:
            write_open_clip(model, tmp_path / "out")
            again, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'out'}")
            assert str(case.image_size) in str(preprocess)
            again.eval()
            again_image, again_text = again.encode_image(pixels, True), again.encode_text(tokens, True)
    torch.testing.assert_close(again_image, image, rtol=0, atol=1e-6)
    torch.testing.assert_close(again_text, text, rtol=0, atol=1e-6)


def test_the_largest_id_of_another_vocabulary(tmp_path):
    """A text tower that pools at the largest id, over texts without the vocabulary's last one."""
    text = TextConfig(6, 9, 8, 1, 2, 12, "gelu")
    config = CLIPConfig("custom", 8, VisionConfig(16, 8, 8, 1, 2, 12, "gelu"), text)
    words = {"model": {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(9)}, "unk_token": "w0"}}
    model = LoadedModel(config, init_params(config, 0), Preprocess(16), HFTokenizer(json.dumps(words), 6, clean=""))
    again = called(write_hf(model, tmp_path / "out"))
    token_BT = np.array([[1, 5, 7, 2, 3, 0], [6, 1, 2, 3, 4, 5], [1, 8, 2, 8, 3, 0]], np.int32)
    with torch.no_grad():
        hidden = again.text_model(torch.from_numpy(token_BT).long()).pooler_output
        theirs = again.text_projection(hidden).numpy()
    np.testing.assert_allclose(clip.encode_text(config, model.params, token_BT), theirs, rtol=0, atol=1e-5)


def called(call: str):
    """Runs 'CLASS.from_pretrained("FOLDER")'."""
    name, _, rest = call.partition(".from_pretrained(")
    return getattr(transformers, name).from_pretrained(rest.rstrip(")").strip('"')).eval()


def test_every_row_of_every_table_is_used():
    """Every row of a format is used by some preset, and all presets are covered; an encoder with every head."""
    used = {format.name: set() for format in all_formats()}
    encoders = [c for c in PRESETS.values() if isinstance(c.text, TextEncoderConfig) and family_of(c).open_clip]
    pools = {config.name: "first" if config.text.norm_first else "pooler" for config in encoders}  # NLLB has no pooler
    other_heads = [
        dataclasses.replace(
            config, text=dataclasses.replace(config.text, pool=pools[config.name], projection=projection)
        )
        for config in encoders
        for projection in ("linear", "mlp")
    ]
    for config in (*PRESETS.values(), *other_heads):
        family = family_of(config)
        formats = [family.open_clip.format] if family.open_clip else []
        if family.hf and family.hf.fits(config):
            formats.append(family.hf.format)
        for format in formats:
            used[format.name] |= {entry.path for entry in entries(format, config)}
    assert {"open_clip", "open_clip_siglip", "hf_clip", "hf_siglip"} <= used.keys()
    for format in all_formats():
        for row in format.rows:
            concrete = row.path.replace("{i}", "0")
            assert concrete in used[format.name] or row.path == "logit_bias", f"{format.name}: {row.path}"


def test_openai_archive(tmp_path):
    """As OpenAI published CLIP: TorchScript, half precision, three sizes beside the weights; it is QuickGELU."""
    case = clip_case(quick_gelu=True)

    class Archive(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.visual, self.transformer, self.token_embedding = model.visual, model.transformer, model.token_embedding
            self.positional_embedding, self.text_projection = model.positional_embedding, model.text_projection
            self.ln_final, self.logit_scale = model.ln_final, model.logit_scale
            for name, value in (("input_resolution", 28), ("context_length", 20), ("vocab_size", 49408)):
                self.register_buffer(name, torch.tensor(value))

        def forward(self, x):
            return self.visual(x)

    archive = torch.jit.trace(Archive(case.model), torch.zeros(1, 3, 28, 28), check_trace=False)
    torch.jit.save(archive.half(), tmp_path / "ViT.pt")
    model = read_model(tmp_path / "ViT.pt")
    assert model.info["activation"] == "quick_gelu"
    assert model.origin["format"] == "open_clip"
    pixels, tokens = inputs(case)
    case.model.half().float()
    with torch.no_grad():
        image, text = case.embed(torch.from_numpy(pixels), torch.from_numpy(tokens).long())
    own = unit(clip.encode_image(model.config, model.params, pixels.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(np.sum(own * image.numpy(), -1), 1, atol=1e-5)
    own = unit(clip.encode_text(model.config, model.params, tokens))
    np.testing.assert_allclose(np.sum(own * text.numpy(), -1), 1, atol=1e-5)


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "safetensors"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_all_the_ways_to_save_a_state_dict(tmp_path, suffix, wrapped):
    case = clip_case()
    state = {f"module.{name}" if wrapped else name: tensor for name, tensor in case.model.state_dict().items()}
    file = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        save_file(state, file)
    else:
        optimizer = torch.optim.AdamW(case.model.parameters()).state_dict()
        torch.save({"epoch": 3, "name": "run", "state_dict": state, "optimizer": optimizer} if wrapped else state, file)
    case.save(tmp_path)
    (tmp_path / "open_clip_model.safetensors").unlink()
    model = read_model(file)
    want = case.model.visual.conv1.weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.params["visual"]["patch"]["kernel"], want)


def test_sharded_safetensors(tmp_path):
    case = hf_clip_case()
    case.model.save_pretrained(tmp_path, max_shard_size="1MB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model = read_model(tmp_path)
    want = case.model.text_model.embeddings.token_embedding.weight.detach().numpy()
    np.testing.assert_array_equal(model.params["text"]["tokens"], want)


def test_positions_are_resized_as_open_clip_resizes_them():
    for old, new in ((4, 6), (7, 5), (14, 16), (24, 16)):
        case = clip_case()
        state = {"visual.positional_embedding": torch.randn(old * old + 1, 12)}
        case.model.visual.grid_size = (new, new)
        case.model.visual.positional_embedding = torch.nn.Parameter(torch.zeros(new * new + 1, 12))
        before = state["visual.positional_embedding"].numpy()
        open_clip.model.resize_pos_embed(state, case.model)
        vision = dataclasses.replace(preset("ViT-B-32").vision, image_size=new * 32)
        ours = resize_positions(before, dataclasses.replace(preset("ViT-B-32"), vision=vision))
        np.testing.assert_allclose(ours, state["visual.positional_embedding"].numpy(), atol=2e-6)
