"""`negjax index`: the images and clips below a folder as an index to search."""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import add_model_flags, command, path

if TYPE_CHECKING:
    from negjax.search.stores.store import StoreAddress

INDEX = """\
example:
  negjax index ~/photos --model clip-vit-base-patch32/ --out photos.index
  negjax search photos.index "a beach without people"
  negjax serve photos.index

  pip install "negjax[qdrant]" && negjax index ~/photos --model clip.pt --out photos.index --store qdrant http://db:6333

The same command brings an index up to date: files that did not change are not read, moved and copied ones are not
embedded again. After a stop it resumes. Links are not followed; names that begin with a dot are left out.
The index is a folder: files.parquet (path, size, mtime_ns, sha256), vectors.npy (a unit vector a row, in this order)
and broken.jsonl (what cannot be decoded, and why). With --store a table of an engine has the vectors instead: lancedb
(URI: a folder or s3://...), qdrant (a URL; QDRANT_API_KEY), pgvector (postgresql://USER@HOST/DATABASE; PGPASSWORD)."""


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
    store = "write the vectors to an engine instead: lancedb, qdrant or pgvector, and where it is"
    parser.add_argument("--store", nargs=2, metavar=("ENGINE", "URI"), help=store)
    parser.add_argument("--table", default="", metavar="NAME", help="of the folder in the store; default: negjax")
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
    store = _store_address(args)
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
        store=store,
    )
    info = changes.index.info
    written = f"{store}, and {changes.index.path}, which names it" if store else str(changes.index.path)
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
    announce("\n".join([*lines, f"written: {written}"]))
    return 0


def _store_address(args: argparse.Namespace) -> "StoreAddress | None":
    from negjax.errors import NegjaxError
    from negjax.search.stores.store import StoreAddress

    if args.store is None:
        if args.table:
            raise NegjaxError(f"--table {args.table} is for --store: give both, or neither")
        return None
    kind, uri = args.store
    uri = uri if "://" in uri else os.path.abspath(uri)  # noqa: PTH100, of a folder that need not exist
    return StoreAddress(kind, uri, args.table or "negjax")
