"""An adapter of negjax in the hands of others: PEFT's layers compute what the folded weights do in every library."""

import dataclasses

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
pytest.importorskip("open_clip")
pytest.importorskip("transformers")

import open_clip  # noqa: E402
import transformers  # noqa: E402
from support.torch_models import VOCAB, hf_clip_case  # noqa: E402
from support.trees import unit  # noqa: E402

from negjax.adapters.lora import fold, new_adapter  # noqa: E402
from negjax.config import LoRA  # noqa: E402
from negjax.models import clip  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402
from negjax.weights.write import write_hf, write_open_clip  # noqa: E402

MODULES = {"attention/out": "self_attn.out_proj", "up": "mlp.fc1", "down": "mlp.fc2"}
PARTS = ("q", "k", "v")


@pytest.mark.parametrize("dora", [False, True])
def test_folded_equals_unfolded_in_peft_and_round_trips(tmp_path, dora):
    peft = pytest.importorskip("peft", reason="needs peft and accelerate")
    case = hf_clip_case()
    case.save(tmp_path / "base")
    model = read_model(tmp_path / "base")
    lora = LoRA(rank=4, alpha=6, matrices=("(text|visual)/transformer/.*/kernel",), dora=dora)
    rng = np.random.default_rng(0)
    adapter = jax.tree.map(
        lambda x: np.float32(x * (1 + 0.1 * rng.normal(size=x.shape)) + 0.02 * rng.normal(size=x.shape)),
        new_adapter(model.params, lora, 0),
    )
    folded = dataclasses.replace(model, params=fold(model.params, adapter, lora), stored={})

    config = peft.LoraConfig(
        r=4, lora_alpha=6, use_dora=dora, target_modules=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
    )
    unfolded = peft.get_peft_model(case.model, config).eval()
    state = {}
    for tower, name in (("text", "text_model"), ("visual", "vision_model")):
        for number, block in adapter[tower]["transformer"]["blocks"].items():
            layer = f"base_model.model.{name}.encoder.layers.{number}"
            for path, module in MODULES.items():
                part = block
                for key in path.split("/"):
                    part = part[key]
                put(state, f"{layer}.{module}", part["kernel"])
            for index, letter in enumerate(PARTS):
                qkv = block["attention"]["qkv"]["kernel"]
                own = {key: x[:, index] if key == "a" else x[index] for key, x in qkv.items()}
                put(state, f"{layer}.self_attn.{letter}_proj", own)
    loaded = unfolded.load_state_dict({key: torch.tensor(x) for key, x in state.items()}, strict=False)
    assert not loaded.unexpected_keys
    assert not [key for key in loaded.missing_keys if "lora" in key]

    pixels = rng.normal(size=(3, 3, case.image_size, case.image_size)).astype(np.float32)
    tokens = rng.integers(1, VOCAB - 2, (3, case.context_length))
    tokens[:, -1] = VOCAB - 1
    torch_inputs = torch.from_numpy(pixels), torch.from_numpy(tokens)
    with torch.no_grad():
        wanted = [x.numpy() for x in case.embed(*torch_inputs)]  # through PEFT's layers, which are in the model
    own = [
        unit(clip.encode_image(folded.config, folded.params, pixels.transpose(0, 2, 3, 1))),
        unit(clip.encode_text(folded.config, folded.params, tokens.astype(np.int32))),
    ]
    before = unit(clip.encode_text(model.config, model.params, tokens.astype(np.int32)))
    assert np.abs(before - own[1]).max() > 1e-2

    write_hf(folded, tmp_path / "hf")
    write_open_clip(folded, tmp_path / "open_clip")
    by_hf = transformers.CLIPModel.from_pretrained(tmp_path / "hf").eval()
    by_open_clip = open_clip.create_model(f"local-dir:{tmp_path / 'open_clip'}").eval()
    with torch.no_grad():
        hf = by_hf(input_ids=torch_inputs[1], pixel_values=torch_inputs[0])
        round_trips = [
            (hf.image_embeds, hf.text_embeds),
            (by_open_clip.encode_image(torch_inputs[0]), by_open_clip.encode_text(torch_inputs[1])),
        ]
    for pair in [own, *round_trips]:
        for one, other in zip(pair, wanted):
            np.testing.assert_allclose(unit(np.asarray(one)), other, atol=1e-6)


def put(state: dict, module: str, factors: dict) -> None:
    """The factors of a matrix by PEFT's names, in PyTorch's layout."""
    state[f"{module}.lora_A.default.weight"] = factors["a"].T
    state[f"{module}.lora_B.default.weight"] = factors["b"].T
    if "magnitude" in factors:
        state[f"{module}.lora_magnitude_vector.default.weight"] = factors["magnitude"]
