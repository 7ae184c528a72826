"""`negjax eval`: a model's figures on sets."""

import argparse
from dataclasses import replace
from typing import Any

from negjax.commands.parsing import add_model_flags, add_process_flags, command, join_processes, path, render
from negjax.errors import NegjaxError

EVAL = """\
examples:
  negjax eval --model runs/negfull --tasks scenes_mcq,scenes_truth_table --data-dir runs/quickstart/data \\
      --out results/negfull
  negjax eval --model negclip.pth --arch ViT-B-32-quickgelu --config configs/eval_coco.py --data-dir data \\
      --out results/negclip
  negjax eval --model negclip.pth --arch ViT-B-32-quickgelu --tasks coco_mcq --data-dir data --out results/methods \\
      --negation none --negation space --negation lcse,midpoint=0.25

--negation scores captions that deny something by a method without training, all others by their cosine, to the last
bit. Given several times, the methods share all embeddings, and each has a folder in OUT: OUT/none, OUT/space;
`negjax report OUT` compares them. Constants that are not given are those published for the family of the model;
constants=FILE takes those that `negjax calibrate` fitted to it.
Each picture, clip and caption is encoded once over all tasks, and its embedding is kept in --cache-dir, as are the
figures of scorers that are fitted to texts alone: run the same command again to resume after a stop, or with more tasks
to compute only the new ones.
On several hosts start it on each, with --coordinator, --num-processes and --process-id; paths must be shared. When one
dies, stops or does not start, the others end within a minute with status 75: start all again."""


def add(commands: Any) -> None:
    """Adds `eval` to the commands of the parser."""
    parser = command(commands, "eval", _eval, "score a model on tasks", EVAL)
    parser.add_argument("--model", type=path, required=True, help="a training workdir, a checkpoint or PyTorch weights")
    add_model_flags(parser)
    tasks = parser.add_mutually_exclusive_group(required=True)
    tasks.add_argument("--tasks", metavar="NAME[,NAME]", help="sets to evaluate")
    tasks.add_argument("--config", metavar="FILE[:ARG]", help="a suite of tasks: configs/eval_*.py, or one of yours")
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="for results.json and predictions/")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N", help="default: 256")
    dtype = "type of the matrix products; bfloat16 is faster on GPUs and TPUs, and rounds scores; default: float32"
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help=dtype)
    parser.add_argument("--frames", type=int, metavar="N", help="per clip, at the midpoints of N parts; default: 4")
    video = "frames squashed and not rounded, as the published figures (negbench), or as images are (clip)"
    parser.add_argument("--video-preprocess", choices=("negbench", "clip"), help=f"{video}; default: negbench")
    negation = "score captions that deny by a method, such as space; may be repeated; a wrong name lists all"
    parser.add_argument("--negation", action="append", metavar="METHOD[,CONSTANT=VALUE...]", help=negation)
    parser.add_argument("--cache-dir", type=path, metavar="DIR", help="keeps what is computed once; default: OUT/cache")
    add_process_flags(parser)
    parser.set_defaults(heavy=True)


def _eval(args: argparse.Namespace) -> int:
    join_processes(args)
    from negjax.config import Suite
    from negjax.config_file import load_config
    from negjax.datasets.stored.store import open_set
    from negjax.evaluation.media import VideoSampling
    from negjax.evaluation.methods import choose_methods, evaluate_methods
    from negjax.evaluation.report.table import table
    from negjax.evaluation.results import write_method_results
    from negjax.models.compute import Compute
    from negjax.negation.table import NO_METHOD
    from negjax.runtime.distributed import exit_together, is_first_process
    from negjax.runtime.files import check_writable
    from negjax.runtime.paths import to_path
    from negjax.runtime.streams import announce
    from negjax.weights.read import read_model

    with exit_together():
        video = VideoSampling()
        if args.config:
            suite = load_config(Suite, args.config)
            names, video = list(suite.tasks), VideoSampling(suite.frames, suite.video_preprocess)
        else:
            names = [name.strip() for name in args.tasks.split(",") if name.strip()]
        if not names:
            raise NegjaxError("--tasks is empty: name at least one set")
        if args.frames is not None:
            video = replace(video, frames=args.frames)
        if args.video_preprocess:
            video = replace(video, preprocess=args.video_preprocess)
        sets = [open_set(args.data_dir, name) for name in names]
        check_writable(args.out)
        model = read_model(args.model, args.step, arch=args.arch, activation=args.activation, ema=args.ema)
        model = replace(model, compute=Compute(dtype=args.dtype))
        cache_dir = args.cache_dir or to_path(args.out) / "cache"
        methods = choose_methods(args.negation or [NO_METHOD], model)
        evaluated = evaluate_methods(model, sets, methods, batch_size=args.batch_size, video=video, cache_dir=cache_dir)
        if is_first_process():
            folders = write_method_results(evaluated, args.out)
            for folder, each in zip(folders, evaluated.values()):
                announce(f"written: {folder / 'results.json'}", render(table(each.results)))
    return 0
