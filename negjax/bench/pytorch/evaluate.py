"""The whole process of an evaluation in PyTorch: python -m negjax.bench.pytorch.evaluate FOLDER plain|smart

The plain script treats each task by itself. The smart one decodes in threads, and encodes distinct images and captions
once over all tasks. Prints accuracy of the questions and recall@5 of the captions as JSON.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from negjax.bench.machine import cores
from negjax.bench.pytorch.encode import encode_padded, encode_sorted
from negjax.bench.pytorch.peer import Peer, load_peer

IMAGE_BATCH = 64


def evaluate_plain(peer: Peer, tasks: list[dict[str, Any]]) -> dict[str, float]:
    """The figure of each task."""
    scores = {}
    for task in tasks:
        files = list(dict.fromkeys(row["image"] for row in task["rows"]))
        texts = [text for row in task["rows"] for text in row["texts"]]
        image_DE = torch.cat([_encode(peer, peer.pixels(part)) for part in _parts(files)])
        text_NE = encode_padded(peer, peer.tokens(texts))
        scores[task["name"]] = _score(task, {file: i for i, file in enumerate(files)}, image_DE, text_NE)
    return scores


def evaluate_smart(peer: Peer, tasks: list[dict[str, Any]]) -> dict[str, float]:
    """The same."""
    rows = [row for task in tasks for row in task["rows"]]
    files = list(dict.fromkeys(row["image"] for row in rows))
    texts = list(dict.fromkeys(text for row in rows for text in row["texts"]))

    def read(file: str) -> torch.Tensor:
        return peer.transform(Image.open(file))

    with ThreadPoolExecutor(cores()) as pool:
        parts = [_encode(peer, torch.stack(list(pool.map(read, part))).to(peer.device)) for part in _parts(files)]
    image_DE, text_XE = torch.cat(parts), encode_sorted(peer, peer.tokens(texts))
    number = {text: i for i, text in enumerate(texts)}
    image_numbers = {file: i for i, file in enumerate(files)}
    return {
        task["name"]: _score(
            task, image_numbers, image_DE, text_XE[[number[text] for row in task["rows"] for text in row["texts"]]]
        )
        for task in tasks
    }


@torch.inference_mode()
def _encode(peer: Peer, pixels_BCHW: torch.Tensor) -> torch.Tensor:
    with peer.autocast():
        return peer.model.encode_image(pixels_BCHW, normalize=True).float()


def _parts(files: list[str]) -> list[list[str]]:
    return [files[start : start + IMAGE_BATCH] for start in range(0, len(files), IMAGE_BATCH)]


def _score(task: dict[str, Any], image_numbers: dict[str, int], image_DE: torch.Tensor, text_NE: torch.Tensor) -> float:
    """Of texts in the order of the rows."""
    row_D = torch.tensor([image_numbers[row["image"]] for row in task["rows"]], device=image_DE.device)
    if task["kind"] == "mcq":
        option_NOE = text_NE.unflatten(0, (len(row_D), -1))
        answer_N = torch.tensor([row["answer"] for row in task["rows"]], device=image_DE.device)
        return float((torch.einsum("ne,noe->no", image_DE[row_D], option_NOE).argmax(1) == answer_N).float().mean())
    counts = torch.tensor([len(row["texts"]) for row in task["rows"]], device=image_DE.device)
    images_of_task = row_D.unique()
    score_ND = text_NE @ image_DE[images_of_task].T
    owner_N = torch.searchsorted(images_of_task, row_D).repeat_interleave(counts)
    right_N1 = score_ND.gather(1, owner_N[:, None])
    return float(((score_ND > right_N1).sum(1) < 5).float().mean())


def main() -> None:
    """Evaluates and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("script", choices=("plain", "smart"))
    args = parser.parse_args()
    peer = load_peer(args.folder, "float32")
    peer.model.eval()
    tasks = json.loads(Path(args.folder, "export", "tasks.json").read_text())
    print(json.dumps((evaluate_smart if args.script == "smart" else evaluate_plain)(peer, tasks)))


if __name__ == "__main__":
    main()
