"""The parameters of a model as a table: our path, shape, type in the source, and the source's tensors.

    python tools/show_weights.py ViT-B-32.pt
    python tools/show_weights.py runs/negfull --to hf --blocks

Weights of any form that `negjax convert` reads. One block of each tower stands for all of them, unless --blocks.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from negjax.weights.read import read_model
from negjax.weights.tables import WeightFormat, entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--arch", default="")
    parser.add_argument("--activation", default="")
    parser.add_argument("--to", choices=("open_clip", "hf"), default="open_clip", help="whose names to show")
    parser.add_argument("--blocks", action="store_true", help="show every block")
    args = parser.parse_args()
    model = read_model(args.weights, arch=args.arch, activation=args.activation)
    forms: dict[str, tuple[WeightFormat, WeightFormat]] = {
        "open_clip": ("open_clip", "open_clip_siglip"),
        "hf": ("hf_clip", "hf_siglip"),
    }
    source = forms[args.to][model.config.vision.pool == "attention"]
    table = Table("path", "shape", "stored as", "mean", "deviation", "tensors")
    for entry in entries(source, model.config):
        if "/blocks/" in entry.path and "/blocks/0/" not in entry.path and not args.blocks:
            continue
        value = model.params
        for key in entry.path.split("/"):
            value = value[key]
        array = np.asarray(value)
        kind = model.stored.get("types", {}).get(entry.path, "float32")
        shape = " x ".join(map(str, entry.shape))
        table.add_row(entry.path, shape, kind, f"{array.mean():.4f}", f"{array.std():.4f}", "\n".join(entry.names))
    Console().print(table)
    Console().print(f"{model.config.name}, activation {model.config.activation}, from {model.info['source']}")


if __name__ == "__main__":
    main()
