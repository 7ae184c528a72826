"""transformers' OWL-ViT and OWLv2 with random weights, saved with their processors as on the Hugging Face hub."""

import json
from pathlib import Path

import torch
import transformers

from negjax.tokenizers.clip import vocabulary
from support.torch_models import randomise

SMALL_VISION = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4}
SMALL_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
CLASSES = {
    "owlvit": ("OwlViTConfig", "OwlViTForObjectDetection", "OwlViTProcessor", "OwlViTImageProcessorPil"),
    "owlv2": ("Owlv2Config", "Owlv2ForObjectDetection", "Owlv2Processor", "Owlv2ImageProcessor"),
}


def save_owl(folder: Path, family: str, image_size: int = 70, patch_size: int = 16, *, whole: bool = False):
    """Saves a detector; returns transformers' model and processor of it.

    Args:
        folder: a new folder.
        family: "owlvit" or "owlv2".
        image_size: side of its images.
        patch_size: side of a patch.
        whole: of the base size, with the first values that transformers gives, instead of a few thousand parameters
            beside the vocabulary, each away from its neutral value.
    """
    config_class, model_class, processor_class, images_class = (getattr(transformers, x) for x in CLASSES[family])
    sizes = {"image_size": image_size, "patch_size": patch_size}
    config = config_class(
        vision_config={**({} if whole else SMALL_VISION), **sizes},
        text_config={} if whole else SMALL_TEXT,
        projection_dim=512 if whole else SMALL_TEXT["hidden_size"],
    )
    torch.manual_seed(0)
    model = model_class(config).eval() if whole else randomise(model_class(config))
    model.save_pretrained(folder)
    ids, merges = vocabulary()
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!"}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    images = images_class(size={"height": image_size, "width": image_size})
    processor = processor_class(images, transformers.CLIPTokenizer.from_pretrained(folder))
    processor.save_pretrained(folder)
    return model, processor
