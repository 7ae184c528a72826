"""The parameters of a model as a table: our path, shape, type in the source file, and the tensors that hold them.

    python tools/show_weights.py ViT-B-32.pt
    python tools/show_weights.py runs/negfull --to hf --blocks

Reads whatever `negjax convert` reads. Shows the first block of each tower for all of them, unless --blocks.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from negjax.errors import NegjaxError
from negjax.models.clip import flatten_params
from negjax.weights.entries import entries
from negjax.weights.families.table import family_of
from negjax.weights.read import read_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--arch", default="")
    parser.add_argument("--activation", default="")
    parser.add_argument("--to", choices=("open_clip", "hf"), default="open_clip", help="whose names to show")
    parser.add_argument("--blocks", action="store_true", help="show every block")
    args = parser.parse_args()
    model = read_model(args.weights, arch=args.arch, activation=args.activation)
    family = family_of(model.config)
    support = family.open_clip if args.to == "open_clip" else family.hf
    if support is None:
        raise NegjaxError(f"the family {family.name} has no --to {args.to}")
    params = flatten_params(model.params)
    table = Table("path", "shape", "stored as", "mean", "deviation", "tensors")
    for entry in entries(support.format, model.config):
        if "/blocks/" in entry.path and "/blocks/0/" not in entry.path and not args.blocks:
            continue
        array = np.asarray(params[entry.path])
        stored_type = model.stored.get("types", {}).get(entry.path, "float32")
        shape = " x ".join(map(str, entry.shape))
        table.add_row(
            entry.path, shape, stored_type, f"{array.mean():.4f}", f"{array.std():.4f}", "\n".join(entry.names)
        )
    Console().print(table)
    Console().print(f"{model.config.name}, activation {model.config.activation}, from {model.info['source']}")


if __name__ == "__main__":
    main()
