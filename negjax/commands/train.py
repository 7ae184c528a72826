"""`negjax train`: trains a model as a config file says."""

import argparse
import json
from typing import Any

from negjax.commands.parsing import add_process_flags, command, join_processes, path

TRAIN = """\
examples:
  negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain --config.data_dir=runs/quickstart/data
  negjax train --config configs/scenes_negfull.py --workdir runs/negfull --config.data_dir=runs/quickstart/data \\
      --config.optim.learning_rate=1e-3 --dry-run
  negjax train --config configs/scenes_pretrain.py --workdir runs/seen --config.data_dir=runs/quickstart/data \\
      --config.logging.tensorboard=true --profile 10:15
  negjax train --config configs/scenes_pretrain.py --settings

The sets of the examples are those that `negjax quickstart --workdir runs/quickstart` draws; your own come from
`negjax data build`. The second example starts from the weights that the first one trained.
--config.KEY=VALUE changes any setting of the config; --settings shows them all with their meaning.
Run the same command again to resume after a stop: SIGTERM saves and exits with status 143.
Several processes find each other on TPU pods, SLURM, Kubernetes and Open MPI; elsewhere start each with --coordinator,
--num-processes and --process-id. The workdir must be shared; SIGTERM to one of them stops all, at the same step. When
one dies, stops or does not start, the others end within a minute with status 75: start all again. Their ports are not
authenticated; with --coordinator 127.0.0.1:PORT they can be reached from this machine only."""


def add(commands: Any) -> None:
    """Adds `train` to the commands of the parser."""
    parser = command(commands, "train", _train, "train a model as a config file says", TRAIN)
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE[:ARG]",
        help="a Python file with get_config(); it is run, so use only files that you trust",
    )
    parser.add_argument("--workdir", type=path, metavar="DIR", help="folder of this run alone")
    parser.add_argument(
        "--settings", action="store_true", help="show type, value and meaning of every setting, and exit"
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, show what would run, write nothing")
    parser.add_argument("--profile", metavar="FIRST:LAST", help="trace these steps, as this process counts them from 1")
    add_process_flags(parser)
    parser.set_defaults(heavy=True, overridable=True)


def _train(args: argparse.Namespace) -> int:
    if args.settings:
        return _show_settings(args)
    if args.workdir is None:
        args.parser.error("the following arguments are required: --workdir")
    join_processes(args, preemption=True)
    from negjax.config import Experiment
    from negjax.config_file import load_config
    from negjax.experiment import describe_run, run_experiment
    from negjax.runtime.distributed import exit_together, is_first_process
    from negjax.runtime.profiler import parse_window
    from negjax.runtime.streams import announce

    with exit_together():
        window = parse_window(args.profile) if args.profile else None
        experiment = load_config(Experiment, args.config, args.overrides)
        if args.dry_run:
            plan = describe_run(experiment, args.workdir)
            if is_first_process():
                print(json.dumps(plan, indent=2))
            return 0
        run_experiment(experiment, args.workdir, window)
        if is_first_process():
            announce(f"trained {experiment.steps:,} steps: {args.workdir}")
    return 0


def _show_settings(args: argparse.Namespace) -> int:
    from negjax.config import Experiment
    from negjax.config_file import load_config
    from negjax.settings import format_settings

    print(format_settings(load_config(Experiment, args.config, args.overrides)), end="")
    return 0
