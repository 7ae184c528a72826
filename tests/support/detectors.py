"""Tiny detectors with random weights, and as folders of Hugging Face."""

import json
from pathlib import Path

import numpy as np

from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.clip import flatten_params
from negjax.models.detector import DetectorConfig, abstract_detector_params
from negjax.models.loaded_detector import LoadedDetector
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.weights.entries import parameter_entries
from negjax.weights.families.owl import DETECTOR_SUPPORT
from negjax.weights.safetensors import TensorToWrite, write_safetensors

SIZE, PATCH, WIDTH, TEXT_WIDTH, CONTEXT = 48, 16, 32, 16, 16


def tiny_detector(family: str = "owlvit", seed: int = 0) -> LoadedDetector:
    clip = CLIPConfig(
        "custom",
        TEXT_WIDTH,
        VisionConfig(SIZE, PATCH, WIDTH, 2, 2, 64, "quick_gelu"),
        TextConfig(CONTEXT, VOCAB_SIZE, TEXT_WIDTH, 1, 2, 32, "quick_gelu"),
        logit_scale_init=2.6592,
    )
    config = DetectorConfig("custom", family, clip)
    rng = np.random.default_rng(seed)
    params: dict = {}
    for path, leaf in flatten_params(abstract_detector_params(config)).items():
        *groups, name = path.split("/")
        node = params
        for group in groups:
            node = node.setdefault(group, {})
        scale = 0.3 if len(leaf.shape) < 2 else leaf.shape[0] ** -0.5
        node[name] = np.float32(
            rng.normal(1 if name == "scale" and groups[-1] != "class_head" else 0, scale, leaf.shape)
        )
    preprocess = Preprocess(SIZE, resize_mode="squash", rgb_first=True)
    info = {"arch": "custom", "source": "random", "sha256": f"seed {seed}"}
    return LoadedDetector(config, params, preprocess, Tokenizer(CONTEXT), info)


def write_folder(folder: Path, detector: LoadedDetector, dtype: str = "float32") -> Path:
    """The detector as transformers saves it."""
    family, clip = detector.config.family, detector.config.clip
    support = DETECTOR_SUPPORT[family]

    def tower(config, **more):
        return {
            "hidden_size": config.width,
            "intermediate_size": config.mlp_width,
            "num_hidden_layers": config.depth,
            "num_attention_heads": config.heads,
            "hidden_act": config.activation,
            **more,
        }

    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "model_type": family,
        "projection_dim": TEXT_WIDTH,
        "vision_config": tower(clip.vision, image_size=SIZE, patch_size=PATCH),
        "text_config": tower(clip.text, vocab_size=VOCAB_SIZE, max_position_embeddings=CONTEXT),
    }
    (folder / "config.json").write_text(json.dumps(content))
    settings = {"image_processor_type": support.image_processor, "size": {"height": SIZE, "width": SIZE}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    params, tensors = flatten_params(detector.params), []
    for entry in parameter_entries(support.format, abstract_detector_params(detector.config)):
        for name, tensor in zip(entry.names, entry.layout.write(params[entry.path])):
            tensors.append(TensorToWrite(name, tensor.shape, dtype, lambda tensor=tensor: tensor))
    write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})
    return folder
