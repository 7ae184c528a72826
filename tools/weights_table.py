"""Which published weights are read, and how exactly: the table in negjax/weights/README.md.

    python tools/weights_table.py --work runs/weights_table          everything that is not in runs/weights_table yet
    python tools/weights_table.py --work runs/weights_table --only "SigLIP|CLIPA"

For each architecture of which open_clip has weights: its config is read, and the names and shapes of all its tensors
are compared at full size (on PyTorch's "meta" device, without memory). Then PyTorch's model at full width, two blocks
deep where it has blocks, with random weights, is compared from the JPEG to the cosine, with the preprocessing of each
tag. Vocabularies other than CLIP's are cut to 1,000 entries, and their tokenizers compared on small ones trained here,
in the same construction: real vocabularies need the network. transformers' models are those of
tests/support/torch_models.py.

Needs the extra torch. An architecture takes 5 to 20 seconds on one core, all of them some 20 minutes; ConvNeXts are
compared whole, of which the largest takes 12 GB of memory. Results are kept in --work, so that a run
that was stopped goes on; what was not read is tried again.
"""

import argparse
import copy
import dataclasses
import gc
import hashlib
import importlib
import json
import re
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/parity"), str(ROOT / "tests"), str(ROOT)]
importlib.import_module("conftest")  # makes torchvision import beside any build of PyTorch, and keeps the hub offline

import numpy as np  # noqa: E402
import open_clip  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from etils import epath  # noqa: E402
from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from support.torch_models import CASES, randomise  # noqa: E402

import negjax  # noqa: E402
from negjax.errors import NegjaxError  # noqa: E402
from negjax.media.images import normalise, to_pixels  # noqa: E402
from negjax.models import clip  # noqa: E402
from negjax.models.architecture import VisionConfig  # noqa: E402
from negjax.models.convnets import ResNetConfig  # noqa: E402
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer  # noqa: E402
from negjax.weights.detect import detect_format, find_mismatches, table_names  # noqa: E402
from negjax.weights.families.table import FAMILIES, family_of  # noqa: E402
from negjax.weights.hub import config_of_tag  # noqa: E402
from negjax.weights.lazy_tensor import LazyTensor  # noqa: E402
from negjax.weights.open_clip_config import read_config  # noqa: E402
from negjax.weights.pytorch import read_params  # noqa: E402
from negjax.weights.tensors import open_tensors  # noqa: E402

BEGIN, END = "<!-- weights table: begin -->", "<!-- weights table: end -->"
DEPTH, SMALL_VOCAB = 2, 1000
TEXTS = ["a photo of a cat", "No dogs, two birds!", "A street with no   cars &amp; a T-shirt", "crème brûlée", ""]
# The published config.json of text towers that open_clip takes from transformers.
_BASE = {"vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
_NLLB = {"vocab_size": 256206, "d_model": 1024, "encoder_attention_heads": 16, "max_position_embeddings": 1024}
_NLLB |= {"decoder_attention_heads": 16, "scale_embedding": True, "activation_function": "relu"}
HF_TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "roberta-base": ("roberta", _BASE | {"vocab_size": 50265}),
    "xlm-roberta-base": ("xlm-roberta", _BASE),
    "xlm-roberta-large": (
        "xlm-roberta",
        _BASE | {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
    ),
    "facebook/nllb-200-distilled-600M": (
        "m2m_100",
        _NLLB | {"encoder_layers": 12, "decoder_layers": 12, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096},
    ),
    "facebook/nllb-200-distilled-1.3B": (
        "m2m_100",
        _NLLB | {"encoder_layers": 24, "decoder_layers": 24, "encoder_ffn_dim": 8192, "decoder_ffn_dim": 8192},
    ),
}
# The construction of a tokenizer by its name in open_clip: a function of tests/parity/test_tokenizer_parity.py or of
# tests/support/tokenizer_folders.py.
TOKENIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    r"SigLIP2": ("gemma", {"cls": "GemmaTokenizer", "padding_side": "right"}),
    r"SigLIP": ("t5", {"extra_ids": 0, "pad_token": "</s>"}),
    r"bert-base": ("bert", {}),
    r"xlm": ("xlm_roberta", {}),
    r"roberta": ("roberta", {}),
    r"nllb": ("nllb", {}),
}


def draw_pictures(folder: Path) -> list[Path]:
    """JPEGs of several shapes: smooth colours with noise, so that every error of resampling shows."""
    rng, paths = np.random.default_rng(0), []
    for i, (width, height) in enumerate(((640, 480), (427, 640), (333, 251), (500, 500))):
        coarse = Image.fromarray(rng.integers(256, size=(9, 12, 3), dtype=np.uint8)).resize((width, height), 3)
        noise = Image.fromarray(rng.integers(256, size=(height, width, 3), dtype=np.uint8))
        paths.append(folder / f"{i}.jpg")
        Image.blend(coarse, noise, 0.2).save(paths[-1], quality=90)
    return paths


def build(model_cfg: dict[str, Any], small: bool) -> torch.nn.Module:
    """open_clip's model of a config; small: two blocks deep, with a small vocabulary unless it is CLIP's."""
    cfg = copy.deepcopy(model_cfg)
    vision, text = cfg["vision_cfg"], cfg["text_cfg"]
    vision["timm_model_pretrained"] = text["hf_model_pretrained"] = False
    if small:
        for tower in (vision, text, cfg.get("multimodal_cfg", {})):
            layers = tower.get("layers", 12)  # a list for the stages of a ResNet
            tower["layers"] = DEPTH if isinstance(layers, int) else [DEPTH] * len(layers)
        if text.get("vocab_size", VOCAB_SIZE) != VOCAB_SIZE:
            text["vocab_size"] = SMALL_VOCAB
    if name := text.get("hf_model_name"):
        text["hf_model_name"] = hf_text_folder(name, small)
    custom = cfg.pop("custom_text", False) or bool(name)
    multimodal = "multimodal_cfg" in cfg
    cls = open_clip.model.CLIP if not custom else open_clip.CoCa if multimodal else open_clip.CustomTextCLIP
    has_blocks = str(vision.get("timm_model_name")).startswith(("eva", "vit"))
    options = {"depth": DEPTH} if small and has_blocks else {}
    with patch.object(timm, "create_model", partial(timm.create_model, **options)):  # open_clip's configs have no depth
        return cls(**cfg).eval()


def hf_text_folder(name: str, small: bool) -> str:
    """A folder with the config.json of a text tower of transformers."""
    model_type, settings = HF_TEXTS[name]
    if small:
        layers = dict.fromkeys(("num_hidden_layers", "encoder_layers", "decoder_layers"), DEPTH)
        settings = settings | layers | {"vocab_size": SMALL_VOCAB}
    folder = tempfile.mkdtemp()
    transformers.AutoConfig.for_model(model_type, **settings).save_pretrained(folder)
    return folder


def small_config(config: Any, model: torch.nn.Module) -> Any:
    """The architecture of the small model."""
    vision, text = config.vision, config.text
    if isinstance(vision, VisionConfig):
        vision = dataclasses.replace(vision, depth=min(DEPTH, vision.depth))
    elif isinstance(vision, ResNetConfig):
        vision = dataclasses.replace(vision, depths=(DEPTH,) * len(vision.depths))
    vocab_size = text.vocab_size if text.vocab_size == VOCAB_SIZE else SMALL_VOCAB
    text = dataclasses.replace(text, depth=DEPTH, vocab_size=vocab_size)
    return dataclasses.replace(config, vision=vision, text=text)


def lazy(state: dict[str, torch.Tensor]) -> dict[str, LazyTensor]:
    return {name: LazyTensor(tuple(tensor.shape), "float32", lambda: np.empty(0)) for name, tensor in state.items()}


def token_ids(config: Any) -> np.ndarray:
    """Rows as the model's tokenizer makes them: CLIP's own; else random ids, the end token, padding."""
    text = config.text
    if text.vocab_size == VOCAB_SIZE:
        return Tokenizer(text.context_length)(TEXTS)
    rng = np.random.default_rng(0)
    rows = np.full((len(TEXTS), text.context_length), getattr(text, "pad_id", 0), np.int32)
    for row, length in zip(rows, rng.integers(4, min(16, text.context_length), len(rows))):
        row[:length] = [*rng.integers(5, text.vocab_size, length - 1), getattr(text, "end_token", 0) or 2]
    return rows


def unit(x: Any) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of finite values only: nan would be smaller than any maximum."""
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ValueError("values that are not finite, so that nothing is compared")
    return float(np.abs(ours - theirs).max())


def randomise_buffers(model: torch.nn.Module) -> None:
    """Statistics of batch norms away from 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            low, high = (-0.2, 0.2) if name.endswith("mean") else (0.5, 1.5)
            buffer.uniform_(low, high, generator=generator)


def check_architecture(model_cfg: dict[str, Any], ways: dict[str, dict], pictures: list[Path]) -> dict[str, Any]:
    """Compares one architecture with the preprocessing of its tags.

    Args:
        model_cfg: open_clip's.
        ways: TAG -> open_clip's entry for it.
        pictures: JPEGs.

    Returns:
        "why" it is not read; or "pixels" and "cosines", the largest differences, and "tokenizer".
    """
    configs = {tag: read_config(json.dumps(config_of_tag(model_cfg, way)), tag) for tag, way in ways.items()}
    config, _, kwargs = next(iter(configs.values()))
    with torch.device("meta"):
        tensors = lazy(build(model_cfg, small=False).state_dict())
    format = detect_format(tensors, "open_clip's model")
    if mismatches := find_mismatches(table_names(tensors, format), format, config):
        return {"why": f"{len(mismatches)} tensors differ: {'; '.join(mismatches[:3])}"}
    model = build(model_cfg, small=True)
    randomise(model)
    randomise_buffers(model)
    config = small_config(config, model)
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: x.contiguous() for name, x in model.state_dict().items()}, f"{folder}/w.safetensors")
        opened = table_names(open_tensors(epath.Path(folder) / "w.safetensors").tensors, format)
        params, _ = read_params(opened, format, config, "w")
    ids = token_ids(config)
    with torch.no_grad():
        text = unit(model.encode_text(torch.from_numpy(ids).long()))
    own_text = unit(clip.encode_text(config, params, ids))
    pixels_off, cosines_off = 0.0, 0.0
    done: dict[Any, None] = {}
    for tag, (_, preprocess, _) in configs.items():
        assert preprocess is not None
        if preprocess in done:
            continue
        done[preprocess] = None
        size = model.visual.image_size
        cfg = PreprocessCfg(**{**merge_preprocess_dict(PreprocessCfg(), ways[tag]), "size": size})
        transform = image_transform_v2(cfg, is_train=False)
        images = torch.stack([transform(Image.open(path)) for path in pictures])
        own = normalise(np.stack([to_pixels(Image.open(path), preprocess) for path in pictures]), preprocess)
        pixels_off = max(pixels_off, largest_difference(own, images.permute(0, 2, 3, 1).numpy()))
        with torch.no_grad():
            image = unit(model.encode_image(images))
        own_image = unit(clip.encode_image(config, params, own))
        cosines_off = max(cosines_off, largest_difference(own_image @ own_text.T, image @ text.T))
    return {"pixels": pixels_off, "cosines": cosines_off, "tokenizer": compare_tokenizers(model_cfg, configs, kwargs)}


def compare_tokenizers(model_cfg: dict[str, Any], configs: dict[str, Any], kwargs: dict[str, Any]) -> str:
    """ "equal", "differs" or why they were not compared."""
    config = next(iter(configs.values()))[0]
    text_cfg = model_cfg["text_cfg"]
    name, length = text_cfg.get("hf_tokenizer_name"), text_cfg.get("context_length", 77)
    read = family_of(config).read_tokenizer
    if not name:
        theirs, folder = open_clip.SimpleTokenizer(context_length=length, **kwargs), None
    else:
        maker = next((value for pattern, value in TOKENIZERS.items() if re.search(pattern, name)), None)
        if maker is None:
            return "not compared"
        folder = trained_tokenizer(*maker)
        theirs = open_clip.tokenizer.HFTokenizer(str(folder), length, **kwargs)
    ours = read(config, epath.Path(folder or "."), kwargs)
    return "equal" if np.array_equal(ours(TEXTS), theirs(TEXTS).numpy()) else "differs"


_trained: dict[str, Path] = {}


def trained_tokenizer(maker: str, settings: dict[str, Any]) -> Path:
    """The folder of a small tokenizer in the construction of a real one."""
    key = f"{maker} {settings}"
    if key not in _trained:
        modules = map(importlib.import_module, ("test_tokenizer_parity", "support.tokenizer_folders"))
        module = next(module for module in modules if hasattr(module, maker))
        settings = dict(settings)
        cls = [settings.pop("cls")] if "cls" in settings else []
        _trained[key] = getattr(module, maker)(Path(tempfile.mkdtemp()) / "tokenizer", *cls, **settings)
    return _trained[key]


def check_hf(make: Any, pictures: list[Path]) -> dict[str, Any]:
    """Compares a model of transformers with a small size, from the JPEG on, with its family's image processor."""
    case = make()
    with tempfile.TemporaryDirectory() as folder:
        case.save(Path(folder))
        config = json.loads((Path(folder) / "config.json").read_text())
        support = next(f.hf for f in FAMILIES if f.hf and f.hf.model_type == config["model_type"])
        size = {"height": case.image_size, "width": case.image_size}
        cls = getattr(transformers, f"{support.image_processor}Pil")
        processor = cls(size={"shortest_edge": case.image_size} if support.crops else size, crop_size=size)
        processor.save_pretrained(folder)
        model, preprocess, _ = negjax.load(folder)
    images = processor([Image.open(path) for path in pictures], return_tensors="pt")["pixel_values"]
    pixels = np.stack([preprocess(path) for path in pictures])
    ids = token_ids(model.config)
    with torch.no_grad():
        image, text = case.embed(images, torch.from_numpy(ids).long())
    own_image, own_text = unit(model.encode_image(pixels)), unit(model.encode_text(ids))
    off = largest_difference(normalise(pixels, model.preprocess), images.permute(0, 2, 3, 1).numpy())
    cosines = largest_difference(own_image @ own_text.T, unit(image) @ unit(text).T)
    return {"pixels": off, "cosines": cosines, "tokenizer": "see tests/parity"}


transformers.utils.logging.disable_progress_bar()


def tasks() -> dict[str, tuple[str, list[str], Any]]:
    """Name -> (its key, its tags, function of the pictures that checks it)."""
    by_model: dict[str, dict[str, dict]] = defaultdict(dict)
    for arch, tag in open_clip.list_pretrained():
        model_cfg, way = open_clip.get_model_config(arch), get_pretrained_cfg(arch, tag)
        by_model[json.dumps(config_of_tag(model_cfg, way)["model_cfg"], sort_keys=True)][f"{arch}/{tag}"] = way
    found: dict[str, tuple[str, list[str], Any]] = {}
    for text, ways in by_model.items():
        names = sorted({tag.split("/")[0].removesuffix("-quickgelu") for tag in ways})
        gelu = ", QuickGELU" if json.loads(text)["quick_gelu"] else ""
        key = hashlib.sha256((text + json.dumps(ways, sort_keys=True)).encode()).hexdigest()[:16]
        found[", ".join(names) + gelu] = (
            key,
            list(ways),
            lambda pictures, text=text, ways=ways: check_architecture(json.loads(text), ways, pictures),
        )
    for name, make in CASES.items():
        if name.startswith("transformers'"):
            found[name] = (name, [], lambda pictures, make=make: check_hf(make, pictures))
    return found


def write_table(rows: dict[str, dict[str, Any]], readme: Path) -> None:
    """Writes the results between the markers of the README; what is not checked yet counts as not read."""
    read = sum(len(row["tags"]) for row in rows.values() if "why" not in row)
    lines = [
        f"{read} of the {len(open_clip.list_pretrained())} weights that open_clip {open_clip.__version__} lists are "
        "read (`tools/weights_table.py` made this table, and says how).",
        "",
        "| architecture | weights | preprocessing | tokenizer | cosines differ by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        tags = f"{len(row['tags'])} tags" if row["tags"] else "all"
        if len(row["tags"]) <= 3:
            tags = ", ".join(f"`{tag.split('/')[1]}`" for tag in row["tags"]) or tags
        if "why" in row:
            lines.append(f"| {name} | {tags} | not read: {row['why'].replace('|', '/')} | | |")
        else:
            same = "equal" if row["pixels"] < 2e-6 else f"differs by {row['pixels']:.0e}"
            lines.append(f"| {name} | {tags} | {same} | {row['tokenizer']} | {row['cosines']:.0e} |")
    text = readme.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


def main() -> int:
    """Checks what is not checked yet, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--only", default="", metavar="REGEX", help="architectures to check; the table has all checked")
    parser.add_argument("--readme", type=Path, default=ROOT / "negjax/weights/README.md")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    pictures, file = draw_pictures(args.work), args.work / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    all_tasks = tasks()
    for i, (name, (key, tags, check)) in enumerate(all_tasks.items()):
        kept = results.get(name)
        if not re.search(args.only, name) or (kept and kept["key"] == key and "why" not in kept):
            continue
        try:
            row = check(pictures)
        except NegjaxError as error:
            row = {"why": str(error).partition(": ")[2] or str(error)}
        except Exception as error:  # PyTorch's libraries raise anything; the others are still checked
            row = {"why": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", "failed": True}
        results[name] = {"key": key, "tags": tags, **row}
        file.write_text(json.dumps(results, indent=1))
        print(f"{i + 1}/{len(all_tasks)} {name}: {row}", flush=True)
        gc.collect()
    write_table({name: results[name] for name in all_tasks if name in results}, args.readme)
    return 1 if any(row.get("failed") for row in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
