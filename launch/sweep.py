"""Prints the commands of a grid of settings, one per line, each with its own run name and workdir. Runs nothing.

    python launch/sweep.py --workdir runs/lr --config.optim.learning_rate=1e-4,3e-4 --config.seed=0,1 -- \\
        negjax train --config configs/scenes_pretrain.py --config.data_dir=runs/quickstart/data
    python launch/sweep.py --workdir gs://my-bucket/lr --config.seed=0,1 -- \\
        env NAME={name} launch/gke/jobset.sh tpu -- \\
        negjax train --config configs/scenes_pretrain.py --config.data_dir=gs://my-bucket/data | bash

The values of --config.KEY=VALUE,VALUE are separated by commas outside of brackets and quotes. {name} in the command
becomes the run's name; --workdir WORKDIR/NAME and the settings are added at its end. A secret is never printed:
WANDB_API_KEY=... is printed as WANDB_API_KEY="$WANDB_API_KEY", and has to be exported.
"""

import argparse
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OPENING, CLOSING, QUOTES = "([{", ")]}", "'\""


def split(values: str) -> list[str]:
    """Splits a text at its commas, except for those inside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in values:
        if letter == "," and depth == 0 and not quote:
            parts.append("")
            continue
        parts[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        else:
            depth += (letter in OPENING) - (letter in CLOSING)
    return parts


def grid(settings: Sequence[str]) -> list[dict[str, str]]:
    """Returns the points of a grid, the last setting changing fastest.

    Args:
        settings: "--config.KEY=VALUE,VALUE" each.

    Raises:
        ValueError: a setting has another form.
    """
    axes: dict[str, list[str]] = {}
    for setting in settings:
        key, equals, values = setting.removeprefix("--config.").partition("=")
        if not setting.startswith("--config.") or not equals or not key:
            raise ValueError(f"{setting}: a setting is --config.KEY=VALUE,VALUE")
        if key in axes:
            raise ValueError(f"--config.{key} is given twice: give all its values in one")
        axes[key] = split(values)
        if len(axes[key]) > 1 and "" in axes[key]:
            raise ValueError(f"{setting}: a value before or after a comma is missing")
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def names(points: Sequence[dict[str, str]]) -> list[str]:
    """Returns a name for each point from the settings that vary: lower-case letters, digits and `-`, for Kubernetes.

    The point's index is put first where names would be equal or longer than 40 characters.
    """
    varying = [key for key in points[0] if len({point[key] for point in points}) > 1]
    candidates = [
        "-".join(
            re.sub("[^a-z0-9]+", "-", f"{key.rpartition('.')[2]} {point[key]}".lower()).strip("-") for key in varying
        )
        for point in points
    ]
    usable = len(set(candidates)) == len(candidates) and all(
        0 < len(name) <= 40 and name[0].isalpha() for name in candidates
    )
    width = len(str(len(points) - 1))
    return candidates if usable else [f"r{i:0{width}}-{name}"[:40].strip("-") for i, name in enumerate(candidates)]


def commands(workdir: str, settings: Sequence[str], command: Sequence[str]) -> list[list[str]]:
    """Returns the command of each point of the grid, as a list of words."""
    points = grid(settings)
    return [
        [word.replace("{name}", name) for word in command]
        + [f"--workdir={workdir.rstrip('/')}/{name}"]
        + [f"--config.{key}={value}" for key, value in point.items()]
        for point, name in zip(points, names(points), strict=True)
    ]


def shown(command: Sequence[str]) -> list[str]:
    """Returns the words of a command as they are printed, quoted for a shell, with variables in place of secrets.

    Raises:
        ValueError: a secret is no variable of the environment.
    """
    script = 'source "$0"; command=("$@"); hide_secrets; printf "%s\\0" "${command[@]}"'
    words = ["bash", "-c", script, str(Path(__file__).with_name("command.sh")), *command]
    hidden = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    return [shlex.quote(word) if word == open_word else _variable(word) for word, open_word in zip(command, hidden)]


def _variable(word: str) -> str:
    name, _, value = word.partition("=")
    if not value or not name.isidentifier() or os.environ.get(name) != value:
        what = name if value and name.isidentifier() else "a word of the command"
        raise ValueError(f'{what} holds a secret, and commands are printed: export it, and give NAME="$NAME"')
    return f'{name}="${name}"'


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Prints the commands of a grid of settings.",
        epilog=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--workdir", required=True, metavar="DIR", help="gets a folder for each run")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    args, settings = parser.parse_known_args(words[:cut])
    command = words[cut + 1 :]
    if not command:
        parser.error("no command: give it after --, as in -- negjax train --config FILE")
    try:
        lines = [shown(run_command) for run_command in commands(args.workdir, settings, command)]
    except ValueError as error:
        parser.error(str(error))
    for words in lines:
        print(*words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
