"""Files as other projects write them, made with PyTorch and peft: the embeddings of the model that they hold."""

import dataclasses
import json

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
pytest.importorskip("open_clip")
pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402
from support.torch_models import VOCAB, clip_case, hf_clip_case, open_clip_case  # noqa: E402
from support.trees import assert_same, unit  # noqa: E402

from negjax.models import clip  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402


def assert_embeds_alike(case, model, atol=1e-5):
    """Cosines of random pixels and token ids."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(3, 3, case.image_size, case.image_size)).astype(np.float32)
    tokens = rng.integers(1, VOCAB - 2, (3, case.context_length)).astype(np.int32)
    tokens[:, -1] = VOCAB - 1
    with torch.no_grad():
        image, text = (x.numpy() for x in case.embed(torch.from_numpy(pixels), torch.from_numpy(tokens).long()))
    own_image = unit(clip.encode_image(model.config, model.params, pixels.transpose(0, 2, 3, 1)))
    own_text = unit(clip.encode_text(model.config, model.params, tokens))
    np.testing.assert_allclose(own_image @ own_text.T, image @ text.T, atol=atol)
    np.testing.assert_allclose(own_text, text, atol=atol)


def test_longclip(tmp_path):
    """The reference adds both tables under masks, as LongCLIP's encode_text does."""
    case = open_clip_case(
        {"image_size": 28, "patch_size": 7, "width": 128, "layers": 2, "head_width": 64},
        {"context_length": 248, "vocab_size": VOCAB, "width": 128, "heads": 2, "layers": 2},
        quick_gelu=True,
    )
    state = dict(case.model.state_dict())
    kept, trained = (torch.randn(248, 128) / 10 for _ in range(2))
    mask1, mask2 = torch.zeros(248, 1), torch.zeros(248, 1)
    mask1[:20], mask2[20:] = 1, 1
    with torch.no_grad():
        case.model.positional_embedding.copy_(kept * mask1 + trained * mask2)
    torch.save(state | {"positional_embedding": kept, "positional_embedding_res": trained}, tmp_path / "longclip.pt")
    model = read_model(tmp_path / "longclip.pt")
    assert (model.tokenizer.context_length, model.config.activation) == (248, "quick_gelu")
    assert_embeds_alike(case, model)


@pytest.mark.parametrize("form", ["Lightning", "DeepSpeed", "net.", "clip_model.", "module.model.", "ema"])
def test_training_checkpoints(tmp_path, form):
    case, state = clip_case(), None
    case.save(tmp_path)
    (tmp_path / "open_clip_model.safetensors").unlink()
    state = dict(case.model.state_dict())
    other = {name: tensor + 1 for name, tensor in state.items()}
    file = tmp_path / "weights.pt"
    if form == "Lightning":
        content = {
            "epoch": 3,
            "global_step": 100,
            "pytorch-lightning_version": "2.5.0",
            "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
            "loops": {"fit_loop": {"state_dict": {}}},
            "optimizer_states": [torch.optim.AdamW(case.model.parameters()).state_dict()],
            "hparams": {"lr": 1e-3},
        }
    elif form == "DeepSpeed":
        content = {"module": state, "ds_config": {"a": 1}, "global_steps": 5, "param_shapes": [{"a": torch.Size([3])}]}
    elif form == "ema":
        content = {"state_dict": other, "state_dict_ema": state, "epoch": 1}
    else:
        content = {f"{form}{name}": tensor for name, tensor in state.items()}
    torch.save(content, file)
    assert_embeds_alike(case, read_model(f"{file}#state_dict_ema" if form == "ema" else file))


def test_shards_of_bin_files(tmp_path):
    case = hf_clip_case()
    case.model.config.save_pretrained(tmp_path)
    state = list(case.model.state_dict().items())
    weight_map = {}
    for i, part in enumerate((state[::2], state[1::2]), 1):
        name = f"pytorch_model-0000{i}-of-00002.bin"
        torch.save(dict(part), tmp_path / name)
        weight_map |= {key: name for key, _ in part}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert_embeds_alike(case, read_model(tmp_path))


LORA_KINDS = {
    "LoRA": {},
    "rank-stabilised, patterns": {"use_rslora": True, "alpha_pattern": {"fc1": 3}, "rank_pattern": {"fc2": 2}},
    "DoRA": {"use_dora": True},
    "biases": {"bias": "lora_only"},
    "whole modules": {"modules_to_save": ["text_projection"]},
}


@pytest.mark.parametrize("kind", LORA_KINDS)
def test_adapters_of_peft(tmp_path, kind):
    peft = pytest.importorskip("peft", reason="needs peft and accelerate")
    case = hf_clip_case()
    case.save(tmp_path / "base")
    targets = ["q_proj", "v_proj", "fc1", "fc2", "out_proj"]
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=targets, **LORA_KINDS[kind])
    adapted = peft.get_peft_model(case.model, config).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_magnitude" in name:
                parameter.mul_(1 + 0.2 * torch.rand_like(parameter))
            elif parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    adapted.save_pretrained(tmp_path / "lora")
    settings = json.loads((tmp_path / "lora/adapter_config.json").read_text())
    (tmp_path / "lora/adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": "base"}))
    model = read_model(tmp_path / "lora")
    assert_embeds_alike(dataclasses.replace(case, model=adapted), model)
    plain = read_model(tmp_path / "base").params["text"]["transformer"]["blocks"]["0"]["up"]["kernel"]
    assert np.abs(plain - model.params["text"]["transformer"]["blocks"]["0"]["up"]["kernel"]).max() > 1e-3


def test_a_prefix_in_safetensors(tmp_path):
    case = clip_case()
    case.save(tmp_path)
    plain = read_model(tmp_path).params
    (tmp_path / "open_clip_model.safetensors").unlink()
    state = {f"model.clip.{name}": tensor for name, tensor in case.model.state_dict().items()}
    save_file(state | {"classifier.weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    assert_same(read_model(tmp_path / "w.safetensors").params, plain)
