"""The three COCO tasks of NegBench: seconds of `negjax eval` against a straightforward PyTorch evaluation.

    python tools/bench_eval.py --csv NEGBENCH/images --media-root COCO/val2017 --repeats 2

The same random weights on both sides, in turns, on the rows whose photograph exists. PyTorch's side is what a simple
script does with open_clip: each task encodes its distinct images and its captions, 64 at a time, padded to 77 tokens.
Ours is `evaluate` from the loaded model to the figures, compilation included. Needs the extra `torch`.
"""

import argparse
import ast
import csv
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.stored.store import open_set
from negjax.evaluation.evaluate import evaluate
from negjax.weights.read import read_model

FILES = {
    "coco_mcq": ("questions", "COCO_val_mcq_llama3.1_rephrased.csv"),
    "coco_retrieval": ("captions", "COCO_val_retrieval.csv"),
    "coco_negated_retrieval": ("captions", "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"),
}
BATCH = 64


def with_pytorch(model: torch.nn.Module, transform: object, tokenize: object, tables: dict, root: Path) -> dict:
    """Accuracy of the questions and recall@5 of the captions: each task on its own."""
    figures = {}
    for name, rows in tables.items():
        files = list(dict.fromkeys(Path(row.get("image_path") or row["filepath"]).name for row in rows))
        texts = [
            text
            for row in rows
            for text in (
                [row[f"caption_{i}"] for i in range(4)] if "caption_0" in row else ast.literal_eval(row["captions"])
            )
        ]
        with torch.no_grad():
            image = torch.cat(
                [
                    model.encode_image(
                        torch.stack([transform(Image.open(root / file)) for file in files[start : start + BATCH]]), True
                    )
                    for start in range(0, len(files), BATCH)
                ]
            ).numpy()
            text = torch.cat(
                [
                    model.encode_text(tokenize(texts[start : start + BATCH]), True)
                    for start in range(0, len(texts), BATCH)
                ]
            ).numpy()
        index_of = {file: i for i, file in enumerate(files)}
        image_index = np.array([index_of[Path(row.get("image_path") or row["filepath"]).name] for row in rows])
        if "caption_0" in rows[0]:
            scores = np.einsum("ne,noe->no", image[image_index], text.reshape(len(rows), 4, -1))
            figures[name] = (scores.argmax(1) == [int(row["correct_answer"]) for row in rows]).mean()
        else:
            owner = np.repeat(image_index, [len(ast.literal_eval(row["captions"])) for row in rows])
            scores = text @ image.T
            better = (scores > scores[np.arange(len(owner)), owner][:, None]).sum(1)
            figures[name] = (better < 5).mean()
    return figures


def with_negjax(model: object, sets: list) -> dict:
    """The same figures by `negjax.evaluation`."""
    tasks = evaluate(model, sets, progress=False).results["tasks"]
    return {
        name: task["metrics"]["accuracy" if task["kind"] == "mcq" else "image_retrieval_recall@5"]
        for name, task in tasks.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True, help="folder of NegBench's COCO files")
    parser.add_argument("--media-root", type=Path, required=True, help="folder of the photographs")
    parser.add_argument("--arch", default="ViT-B-32-quickgelu")
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    theirs, _, transform = open_clip.create_model_and_transforms(args.arch)
    tokenize = open_clip.get_tokenizer(args.arch)
    theirs.eval()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(theirs.state_dict(), f"{folder}/weights.pt")
        ours = read_model(f"{folder}/weights.pt", arch=args.arch)
        tables = {}
        for name, (kind, file) in FILES.items():
            build_from_csv(kind, args.csv / file, args.media_root, name, folder, skip_missing=True, progress=False)
            with (args.csv / file).open(newline="", encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines))
            tables[name] = [
                row for row in rows if (args.media_root / Path(row.get("image_path") or row["filepath"]).name).exists()
            ]
        sets = [open_set(folder, name) for name in FILES]
        seconds: dict[str, list[float]] = {"PyTorch": [], "negjax": []}
        for _ in range(args.repeats):
            for name, run in (
                ("PyTorch", lambda: with_pytorch(theirs, transform, tokenize, tables, args.media_root)),
                ("negjax", lambda: with_negjax(ours, sets)),
            ):
                begin = time.perf_counter()
                figures = run()
                seconds[name].append(time.perf_counter() - begin)
                line = ", ".join(f"{task} {100 * value:.2f}" for task, value in figures.items())
                print(f"{name}: {seconds[name][-1]:.1f} s; {line}", flush=True)
    ratios = [ours / theirs for ours, theirs in zip(seconds["negjax"], seconds["PyTorch"])]
    print(f"first: {ratios[0]:.3f} of PyTorch's time, compilation included; median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
