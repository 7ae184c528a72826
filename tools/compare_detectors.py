"""OWL-ViT B/32 and OWLv2 B/16 beside transformers on photographs: differences, and images a second in turns.

    pip install -e ".[dev,torch]"
    python tools/compare_detectors.py photos/*.jpg --timed 16

Weights are random, made by transformers and read from its folder. From the JPEG on each side prepares the images in its
own way; scores and boxes of all patches are compared with those of transformers' model in float64. Then both sides take
turns at the same photographs, one at a time, from the file to the boxes, and the medians of the rounds are printed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "parity"))
from conftest import import_torchvision

import_torchvision()

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from support.owl_models import save_owl  # noqa: E402

from negjax.media.decoding import decode  # noqa: E402
from negjax.models.loaded_detector import on_devices  # noqa: E402
from negjax.weights.detector import read_detector  # noqa: E402

NAMES = ("dog", "bicycle", "person", "chair", "bottle", "traffic light", "cow", "pizza", "boat", "umbrella")
TEXTS = [f"a photo of {'an' if name[0] in 'u' else 'a'} {name}" for name in NAMES]
MODELS = {"owlvit": (768, 32), "owlv2": (960, 16)}
ROUNDS = 3

Side = Callable[[Path], tuple[np.ndarray, np.ndarray]]  # a photograph -> scores [P, Q] and boxes [P, 4]


def make_sides(family: str, folder: Path) -> tuple[Side, dict[str, Side]]:
    """The model in float64, and both sides in float32."""
    image_size, patch_size = MODELS[family]
    model, processor = save_owl(folder, family, image_size, patch_size, whole=True)
    detector = on_devices(read_detector(folder))
    query_1QE = detector.encode_queries(TEXTS)[None]

    def by_transformers(path: Path, precision: torch.dtype = torch.float32) -> tuple[np.ndarray, np.ndarray]:
        inputs = processor(text=[TEXTS], images=Image.open(path).convert("RGB"), return_tensors="pt")
        inputs["pixel_values"] = inputs["pixel_values"].to(precision)
        with torch.inference_mode():
            out = model.to(precision)(**inputs)
        return torch.sigmoid(out.logits[0]).numpy(), out.pred_boxes[0].numpy()

    def by_negjax(path: Path) -> tuple[np.ndarray, np.ndarray]:
        pixels = detector.to_pixels(decode(path.read_bytes(), str(path)))
        found = detector.detect(pixels[None], query_1QE)
        return np.asarray(jax.nn.sigmoid(found.logit_BPQ))[0], np.asarray(found.box_BP4)[0]

    def exact(path: Path) -> tuple[np.ndarray, np.ndarray]:
        return by_transformers(path, torch.float64)

    return exact, {"transformers": by_transformers, "negjax": by_negjax}


def compare(exact: Side, sides: dict[str, Side], photos: Sequence[Path]) -> None:
    differences: dict[str, list[list[float]]] = {name: [] for name in sides}
    for path in photos:
        expected = exact(path)
        for name, side in sides.items():
            differences[name].append([np.abs(x - y).max() for x, y in zip(side(path), expected)])
    print(f"  {len(photos)} photographs, {len(expected[0])} patches; largest difference from float64, and its median:")
    for name, found in differences.items():
        score, box = zip(*found)
        print(
            f"  {name}: scores {max(score):.1e} ({statistics.median(score):.1e}), "
            f"boxes {max(box):.1e} ({statistics.median(box):.1e})",
            flush=True,
        )


def time_in_turns(sides: dict[str, Side], photos: Sequence[Path]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.perf_counter()
            for path in photos:
                side(path)
            rates[name].append(len(photos) / (time.perf_counter() - start))
    for name, values in rates.items():
        print(f"  {name}: {statistics.median(values):.2f} images a second ({min(values):.2f} to {max(values):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--timed", type=int, default=16, metavar="N", help="photographs of a round")
    parser.add_argument("--families", nargs="+", choices=MODELS, default=list(MODELS))
    args = parser.parse_args()
    for family in args.families:
        print(f"{family}, {torch.get_num_threads()} threads of PyTorch, {os.cpu_count()} cores")
        with tempfile.TemporaryDirectory() as folder:
            exact, sides = make_sides(family, Path(folder))
            compare(exact, sides, args.photos)
            if args.timed:
                time_in_turns(sides, args.photos[: args.timed])


if __name__ == "__main__":
    main()
