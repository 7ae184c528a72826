"""SigLIP and SigLIP 2, fine-tuned: the losses of each step are those that PyTorch's own models and losses take.

The models are small and their weights drawn here; context, padding, case and tokenizers are as the real ones have them.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
transformers = pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from safetensors.torch import save_file  # noqa: E402
from support import tokenizer_folders  # noqa: E402
from support.torch_models import randomise, small_tower  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from negjax.config import Experiment, ModelSpec, Optim, Source  # noqa: E402
from negjax.datasets.stored.store import open_set  # noqa: E402
from negjax.experiment import initial_model  # noqa: E402
from negjax.models.presets import preset  # noqa: E402
from negjax.training.prepare import prepare_run  # noqa: E402
from negjax.training.stream import stream_batches  # noqa: E402
from negjax.weights.families.siglip import TIMM_TOWERS  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402
from negjax.weights.write import write_hf, write_open_clip  # noqa: E402

CONTEXT, IMAGE, SCALE, BIAS = 64, 30, 1.7, -5.0
TEXTS = ["A Dog,  but NO cat!", "There is no Man in the kitchen.", "not a dog " * 30, "a photo"]
PREPROCESS = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
WEIGHTS = {"contrastive": 0.5, "sigmoid": 0.25, "mcq": 1.0, "sigmoid_mcq": 0.5}
RATE, STEPS = 0.02, 6
TIMM_NAME = f"vit__patch7_siglip_{IMAGE}"  # as timm's, which have the name of a size there
TOWER = dataclasses.replace(
    preset("ViT-B-16-SigLIP").vision, image_size=IMAGE, patch_size=7, width=64, depth=2, heads=2, mlp_width=256
)
small_tower(
    TIMM_NAME,
    "vit_base_patch16_siglip_224",
    TIMM_TOWERS,
    TOWER,
    img_size=IMAGE,
    patch_size=7,
    embed_dim=64,
    depth=2,
    num_heads=2,
)


@dataclass
class Peer:
    """A model of PyTorch's. tokenize: texts to token ids [N, 64]. path: where it is saved."""

    model: Any
    tokenize: Any
    path: Path

    def embed(self, pixels_BHWC: np.ndarray, text_NT: np.ndarray) -> tuple:
        """Unit embeddings of uint8 pixels, normalised with mean and deviation 1/2, and of token ids."""
        pixels = torch.from_numpy(pixels_BHWC.transpose(0, 3, 1, 2) / 255.0).float() * 2 - 1
        tokens = torch.from_numpy(text_NT).long()
        if isinstance(self.model, transformers.SiglipModel):
            out = self.model(pixel_values=pixels, input_ids=tokens)
            return out.image_embeds, out.text_embeds
        return self.model.encode_image(pixels, normalize=True), self.model.encode_text(tokens, normalize=True)


def transformers_peer(folder: Path, tokenizer: str) -> Peer:
    getattr(tokenizer_folders, tokenizer)(folder)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    sizes = {"hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.SiglipConfig(
        text_config={**sizes, "vocab_size": 500, "max_position_embeddings": CONTEXT, "projection_size": 64},
        vision_config={**sizes, "image_size": IMAGE, "patch_size": 7},
    )
    model = drawn(transformers.SiglipModel, config)
    model.save_pretrained(folder)

    def tokenize(texts: list[str]) -> np.ndarray:
        how = {"padding": "max_length", "max_length": CONTEXT, "truncation": True, "return_tensors": "np"}
        return theirs(texts, **how)["input_ids"]

    return Peer(model, tokenize, folder)


def open_clip_peer(folder: Path, tokenizer: str) -> Peer:
    tokenizer_folders.t5(folder, extra_ids=0, pad_token="</s>")
    cfg = json.loads((Path(open_clip.__file__).parent / "model_configs" / "ViT-B-16-SigLIP.json").read_text())
    cfg["embed_dim"] = 64
    cfg["vision_cfg"] |= {"image_size": IMAGE, "timm_model_name": TIMM_NAME}
    cfg["text_cfg"] |= {"vocab_size": 500, "width": 64, "heads": 2, "layers": 2, "hf_tokenizer_name": "x"}
    assert cfg["text_cfg"]["context_length"] == CONTEXT
    settings = json.loads(json.dumps(cfg))
    settings.pop("custom_text")
    model = drawn(lambda: open_clip.model.CustomTextCLIP(**settings))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": cfg, "preprocess_cfg": PREPROCESS}))
    theirs = open_clip.tokenizer.HFTokenizer(str(folder), CONTEXT, **cfg["text_cfg"]["tokenizer_kwargs"])
    return Peer(model, lambda texts: theirs(texts).numpy(), folder)


def drawn(make: Any, *arguments: Any) -> Any:
    """A model whose weights are the same in every run."""
    torch.manual_seed(0)
    model = randomise(make(*arguments), 1)
    with torch.no_grad():
        model.logit_scale.fill_(SCALE)
        model.logit_bias.fill_(BIAS)
    return model


PEERS = {
    "SigLIP of transformers": (transformers_peer, "siglip"),
    "SigLIP 2 of transformers": (transformers_peer, "siglip2"),
    "SigLIP of open_clip": (open_clip_peer, "t5"),
}


def losses_of_pytorch(peer: Peer, batch: dict[str, np.ndarray]) -> dict[str, Any]:
    """The losses of open_clip, and of questions those of PyTorch."""
    option_GOT, answer = batch["options"], torch.from_numpy(batch["answer"]).long()
    text_NT = np.concatenate([batch["text"], option_GOT.reshape(-1, CONTEXT)])
    image, text = peer.embed(batch["image"], text_NT)
    caption, option = text[: len(image)], text[len(image) :].reshape(*option_GOT.shape[:2], -1)
    scale, bias = peer.model.logit_scale.exp(), peer.model.logit_bias
    option = option.repeat_interleave(len(image) // len(option), dim=0)
    cosines = torch.einsum("be,boe->bo", image, option)
    is_right = F.one_hot(answer, option.shape[1]).float()
    binary = F.binary_cross_entropy_with_logits(scale * cosines + bias, is_right, reduction="none")
    return {
        "contrastive": open_clip.loss.ClipLoss()(image, caption, scale, bias),
        "sigmoid": open_clip.loss.SigLipLoss()(image, caption, scale, bias),
        "mcq": F.cross_entropy(scale * cosines, answer),
        "sigmoid_mcq": binary.sum(dim=1).mean(),
    }


@pytest.mark.parametrize("name", PEERS)
def test_losses_of_each_step_are_those_of_pytorch_and_go_down(name, scenes, tmp_path):
    make, tokenizer = PEERS[name]
    peer = make(tmp_path / "theirs", tokenizer)
    experiment = Experiment(
        ModelSpec(init_from=str(peer.path)),
        {"asked": Source("scenes_balanced", 32, negated_fraction=0.5, **WEIGHTS)},
        str(scenes),
        steps=STEPS,
        optim=Optim(RATE, "sgd", schedule="constant", weight_decay=0, clip_norm=0),
    )
    model = initial_model(experiment)
    inputs = model.preprocess
    assert (inputs.mean, inputs.std, inputs.resize_mode) == ((0.5,) * 3, (0.5,) * 3, "squash")
    np.testing.assert_array_equal(model.tokenizer(TEXTS), peer.tokenize(TEXTS))
    assert model.tokenizer(TEXTS).shape == (4, CONTEXT)

    run = prepare_run(experiment, model)
    stream, state = stream_batches(run, {"asked": None}, 0), run.program.begin(run.initial_params())
    found, wanted = [], []
    texts = [text for row in open_set(scenes, "scenes_balanced").rows() for text in texts_of(row)]
    known = {row.tobytes() for row in peer.tokenize(texts).astype(np.int32)}
    optimizer = torch.optim.SGD(peer.model.parameters(), RATE, momentum=0.9)
    for _ in range(STEPS):
        arrays = next(stream).arrays
        batch = {key: np.array(value) for key, value in arrays["asked"].items()}
        for row in (*batch["text"], *batch["options"].reshape(-1, CONTEXT)):
            assert row.tobytes() in known  # as their tokenizer writes it, padding included
        state, metrics = run.program.step(state, arrays, None)
        losses = losses_of_pytorch(peer, batch)
        total = sum(WEIGHTS[key] * loss for key, loss in losses.items())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        found.append([float(metrics[f"asked/{key}"]) for key in WEIGHTS])
        wanted.append([float(losses[key].detach()) for key in WEIGHTS])
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)  # so the gradients are theirs, too
    total = np.array(found) @ np.array(list(WEIGHTS.values()))
    assert total[-1] < total[0] - 0.1

    trained = run.with_trained(state["params"], None)
    for key, start in (("logit_scale", SCALE), ("logit_bias", BIAS)):
        learned = float(getattr(peer.model, key).detach())
        assert float(trained.params[key]) == pytest.approx(learned, abs=1e-4)
        assert abs(learned - start) > 1e-3
    write = write_hf if isinstance(peer.model, transformers.SiglipModel) else write_open_clip
    write(trained, tmp_path / "back")
    back = read_model(tmp_path / "back")
    assert float(back.params["logit_bias"]) == float(trained.params["logit_bias"])
    np.testing.assert_array_equal(back.tokenizer(TEXTS), peer.tokenize(TEXTS))


def texts_of(row: dict) -> list[str]:
    return [*row["captions"], *row["negated_captions"], *row["options"]]
