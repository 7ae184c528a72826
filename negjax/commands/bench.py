"""`negjax bench`: speed and memory, alone or in turns with open_clip in PyTorch."""

import argparse
import dataclasses
import json
import tempfile
from typing import Any

from negjax.commands.parsing import command, path, show
from negjax.errors import NegjaxError

BENCH = """\
examples:
  negjax bench
  negjax bench --measures negfull,encode_text --arch ViT-B-16 --batch 256 --dtype bfloat16 --json bench.json
  negjax bench --against open_clip --rounds 5 --json against.json
  negjax bench --data-dir data --set negfull --tasks coco_mcq,coco_retrieval

Each measure runs the code of `negjax train` and `negjax eval` in a process of its own, on drawn pictures and captions
as long as COCO's and NegBench's, or on sets of yours. TFLOP/s and MFU count no padding.
--against open_clip times a plain and a smart script of PyTorch and negjax in turns, on the same weights and inputs,
after it has checked that they agree; it needs the extra torch. negjax/bench/README.md says how to read the tables."""
DEFAULT_ARCH, DEFAULT_BATCH = "ViT-B-32", 32


def add(commands: Any) -> None:
    """Adds `bench` to the commands of the parser."""
    parser = command(commands, "bench", _bench, "measure speed and memory of training, encoding and evaluation", BENCH)
    parser.add_argument("--measures", default="", metavar="NAME[,NAME]", help="which to take; default: all")
    parser.add_argument("--arch", default=DEFAULT_ARCH, metavar="NAME", help=f"a preset; default: {DEFAULT_ARCH}")
    batch = "examples of a step, and images encoded at a time"
    parser.add_argument("--batch", type=_positive, default=DEFAULT_BATCH, metavar="N", help=f"{batch}; default: 32")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="default: float32")
    parser.add_argument("--fsdp", type=_positive, default=1, metavar="N", help="of the mesh, as config.mesh.fsdp")
    parser.add_argument("--tensor", type=_positive, default=1, metavar="N", help="of the mesh, as config.mesh.tensor")
    parser.add_argument("--images", type=_positive, default=256, metavar="N", help="images to encode; default: 256")
    parser.add_argument("--captions", type=_positive, default=2048, metavar="N", help="captions; default: 2048")
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="times of each; default: 5")
    parser.add_argument("--warmup", type=_positive, default=1, metavar="N", help="repetitions before; default: 1")
    parser.add_argument("--seed", type=int, default=0, help="of weights and drawn inputs; default: 0")
    parser.add_argument("--data-dir", type=path, metavar="DIR", help="folder of sets that are used instead")
    parser.add_argument("--set", default="", metavar="NAME", help="train on this set of --data-dir")
    parser.add_argument("--tasks", default="", metavar="NAME[,NAME]", help="evaluate these sets of --data-dir")
    parser.add_argument("--against", choices=("open_clip",), help="compare with PyTorch, in turns")
    negfull = "pairs, and questions, of a NegFull step that is compared"
    parser.add_argument("--negfull-batch", type=_positive, default=8, metavar="N", help=f"{negfull}; default: 8")
    compiled = "PyTorch's smart script compiles where that is faster, which takes minutes to find out on a CPU"
    parser.add_argument("--torch-compile", action=argparse.BooleanOptionalAction, default=True, help=compiled)
    parser.add_argument("--json", type=path, metavar="FILE", help="also write everything to this file, for programs")
    parser.set_defaults(heavy=True)


def _bench(args: argparse.Namespace) -> int:
    from negjax.bench.against import compare_all
    from negjax.bench.alone import measure_all
    from negjax.bench.comparisons import COMPARISONS
    from negjax.bench.measures.table import MEASURES
    from negjax.bench.report import comparisons_table, measures_table
    from negjax.runtime.files import check_writable, write_atomic
    from negjax.runtime.paths import to_path
    from negjax.runtime.temporary import temporary_beside

    if args.json:
        check_writable(to_path(args.json).parent)
    names = _names(args.measures, list(COMPARISONS if args.against else MEASURES))
    with temporary_beside(to_path(tempfile.gettempdir()) / "negjax-bench", folder=True) as folder:
        settings = _settings(args, str(folder))
        results = (compare_all if args.against else measure_all)(settings, names)
    shown = dataclasses.asdict(settings)
    del shown["folder"]
    show((comparisons_table if args.against else measures_table)(results))
    if args.json:
        write_atomic(args.json, json.dumps({"settings": shown, **results}, indent=2) + "\n")
        print(f"written: {args.json}")
    return 0


def _names(text: str, known: list[str]) -> list[str]:
    """The names of a flag, in the order of the table; all where it is empty."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise NegjaxError(f"--measures: unknown {', '.join(unknown)}; choose from {', '.join(known)}")
    return [name for name in known if name in names] or known


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _settings(args: argparse.Namespace, folder: str) -> Any:
    from negjax.bench.settings import TASKS, TRAINING_SET, BenchSettings

    tasks = tuple(name.strip() for name in args.tasks.split(",") if name.strip())
    if (args.set or tasks) and not args.data_dir:
        raise NegjaxError("--set and --tasks name sets of a --data-dir: give it as well")
    if args.data_dir and not (args.set or tasks):
        raise NegjaxError("--data-dir is given without --set or --tasks: name what to use of it")
    return BenchSettings(
        folder=folder,
        arch=args.arch,
        dtype=args.dtype,
        batch=args.batch,
        negfull_batch=args.negfull_batch,
        images=args.images,
        captions=args.captions,
        rounds=args.rounds,
        warmup=args.warmup,
        fsdp=args.fsdp,
        tensor=args.tensor,
        seed=args.seed,
        data_dir=args.data_dir or folder,
        train_set=args.set or TRAINING_SET,
        tasks=tasks or TASKS,
        torch_compile=args.torch_compile,
    )
