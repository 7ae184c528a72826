"""`negjax compile`: memory and time of a training step on a TPU pod, without one."""

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import command, path, show

if TYPE_CHECKING:
    from negjax.compile import Compiled

COMPILE = """\
examples:
  negjax compile --config configs/scenes_negfull.py --topology v5e:4x4 --config.model.arch=ViT-B-32
  negjax compile --config configs/scenes_pretrain.py --topology v5p:4x4x4 --config.model.arch=ViT-bigG-14 \\
      --config.model.dtype=bfloat16 --config.mesh.fsdp=64 --config.sources.captions.batch_size=8192 --json bigg.json

Neither data, weights nor a TPU are needed, only the TPU's compiler: pip install libtpu.
The times are lower bounds from the data sheets of the chips, not measurements."""

COMPILER = {  # environment of the compiler alone: no TPU, no requests to its metadata server, no lock, few messages
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
}


def add(commands: Any) -> None:
    """Adds `compile` to the commands of the parser."""
    parser = command(
        commands,
        "compile",
        _compile,
        "memory and time of a training step on a TPU pod, without one",
        COMPILE,
    )
    parser.add_argument("--config", required=True, metavar="FILE[:ARG]", help="a file with get_config(), as for train")
    parser.add_argument("--topology", required=True, metavar="CHIP:SHAPE", help="v5e:4x4, v6e:8x8, v5p:4x4x4, ...")
    tokens = "tokens of each text, where they are packed; default: the context length"
    parser.add_argument("--tokens", type=int, default=0, metavar="N", help=tokens)
    fit = "find the largest batch that fits into memory, to within an eighth: about ten compilations"
    parser.add_argument("--fit", action="store_true", help=fit)
    parser.add_argument("--json", type=path, metavar="FILE", help="also write the result to this file, for programs")
    parser.set_defaults(overridable=True)


def _compile(args: argparse.Namespace) -> int:
    os.environ |= COMPILER  # before JAX starts
    from negjax.compile import compile_experiment
    from negjax.config import Experiment
    from negjax.config_file import load_config
    from negjax.largest_batch import compile_largest
    from negjax.runtime.files import write_atomic

    experiment = load_config(Experiment, args.config, args.overrides)
    compiled = (compile_largest if args.fit else compile_experiment)(experiment, args.topology, args.tokens)
    show(_table(compiled))
    if args.json:
        write_atomic(args.json, json.dumps(compiled.to_dict(), indent=2) + "\n")
        print(f"written: {args.json}")
    return 0 if compiled.fits else 1


def _table(compiled: "Compiled") -> Any:
    from rich import box
    from rich.table import Table

    from negjax.compile import memory_line

    table = Table(box=box.SIMPLE, show_header=False)
    mesh = " x ".join(f"{name} {size}" for name, size in compiled.mesh.items())
    table.add_row("chips", f"{compiled.chips} of {compiled.topology.partition(':')[0]}, {mesh}")
    table.add_row("batch", ", ".join(f"{name} {size:,}" for name, size in compiled.batch.items()))
    table.add_row("memory per chip", memory_line(compiled))
    for name, size in compiled.memory.items():
        table.add_row(f"  {name}", f"{size / 2**20:,.0f} MiB")
    if compiled.memory_traffic is not None:
        table.add_row("  read and written", f"{compiled.memory_traffic / 2**20:,.0f} MiB")
    table.add_row("model FLOPs per chip", f"{compiled.flops / 1e12:,.3f} T")
    if compiled.real_token_share is not None:
        table.add_row("tokens of texts", f"{100 * compiled.real_token_share:.0f} % real, the others padding")
    if compiled.collectives is None:
        table.add_row("  memory, collectives", "unknown, not reported by this compiler; not part of the time")
    for collective in compiled.collectives or ():
        table.add_row(f"  {collective.kind}", f"{collective.count} x, {collective.bytes / 2**20:,.1f} MiB")
    for name, seconds in compiled.at_best.items():
        table.add_row(f"{name} at best", f"{1e3 * seconds:,.2f} ms")
    table.add_row("step at best", f"{1e3 * compiled.step_seconds:,.2f} ms, MFU {compiled.mfu:.0%}")
    table.add_row("compiled in", f"{compiled.compile_seconds} s")
    return table
