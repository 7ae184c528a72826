"""`negjax index`: the images and clips below a folder as an index to search."""

import argparse
from dataclasses import replace
from typing import Any

from negjax.commands.parsing import add_model_flags, command, path

INDEX = """\
example:
  negjax index ~/photos --model clip-vit-base-patch32/ --out photos.index
  negjax search photos.index "a beach without people"
  negjax serve photos.index

The same command brings an index up to date: files that did not change are not read, moved and copied ones are not
embedded again. After a stop it resumes. Links are not followed; names that begin with a dot are left out.
The index is a folder: files.parquet (path, size, mtime_ns, sha256), vectors.npy (a unit vector a row, in this order)
and broken.jsonl (what cannot be decoded, and why)."""


def add(commands: Any) -> None:
    """Adds `index` to the commands of the parser."""
    parser = command(commands, "index", _index, "index a folder of images and clips, to search it", INDEX)
    parser.add_argument("folder", type=path, metavar="FOLDER", help="the folder of the images")
    parser.add_argument("--model", type=path, required=True, help="a training workdir, a checkpoint or PyTorch weights")
    add_model_flags(parser)
    parser.add_argument("--out", type=path, required=True, metavar="INDEX", help="the folder of the index")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N", help="default: 256")
    dtype = "type of the matrix products; bfloat16 is faster on GPUs and TPUs, and rounds scores; default: float32"
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help=dtype)
    vectors = "type of the stored vectors; float16 takes half the space; default: float32"
    parser.add_argument("--vectors", choices=("float32", "float16"), default="float32", help=vectors)
    parser.add_argument("--frames", type=int, default=4, metavar="N", help="of each clip; default: 4")
    retry = "read unchanged files again that could not be decoded"
    parser.add_argument("--retry-broken", action="store_true", help=retry)
    parser.set_defaults(heavy=True)


def _index(args: argparse.Namespace) -> int:
    from negjax.errors import NegjaxError
    from negjax.evaluation.media import VideoSampling
    from negjax.models.compute import Compute
    from negjax.runtime.files import check_writable
    from negjax.runtime.streams import announce
    from negjax.search.build import build_index
    from negjax.search.loading import load_settings
    from negjax.weights.read import read_model

    for flag, value in (("--batch-size", args.batch_size), ("--frames", args.frames)):
        if value < 1:
            raise NegjaxError(f"{flag} {value}: it must be at least 1")
    check_writable(args.out)
    settings = {"step": args.step, "arch": args.arch, "activation": args.activation, "ema": args.ema}
    model = read_model(args.model, **settings)
    model = replace(model, compute=Compute(dtype=args.dtype))
    changes = build_index(
        args.folder,
        model,
        load_settings(args.model, model, settings),
        args.out,
        batch_size=args.batch_size,
        video=VideoSampling(args.frames, "clip"),
        vectors=args.vectors,
        retry_broken=args.retry_broken,
    )
    info = changes.index.info
    lines = [
        f"{info.files:,} files: {changes.added:,} added, {changes.moved:,} moved or copied, {changes.unchanged:,} "
        f"unchanged; {changes.removed:,} removed"
    ]
    if info.broken:
        where = changes.index.path / info.data / "broken.jsonl"
        lines.append(
            f"{info.broken:,} files cannot be decoded, the first is {changes.index.broken[0].path}: see {where}"
        )
    if changes.found.links:
        lines.append(f"{changes.found.links:,} symbolic links are not followed")
    if changes.found.unnamed:
        lines.append(f"{changes.found.unnamed:,} files are left out whose names are not UTF-8")
    announce("\n".join([*lines, f"written: {changes.index.path}"]))
    return 0
