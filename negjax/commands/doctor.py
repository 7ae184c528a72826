"""`negjax doctor`: checks the installation and the machine."""

import argparse
import json
from typing import Any

from negjax.commands.parsing import command, show

DOCTOR_EXAMPLE = """\
example:
  negjax doctor"""


def add(commands: Any) -> None:
    """Adds `doctor` to the commands of the parser."""
    parser = command(
        commands, "doctor", _doctor, "what is installed, what is missing, and how to fix it", DOCTOR_EXAMPLE
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _doctor(args: argparse.Namespace) -> int:
    from negjax.doctor import count_problems, examine, to_dict, to_table

    findings = examine()
    if args.json:
        print(json.dumps(to_dict(findings), indent=2))
    else:
        show(to_table(findings))
    return 1 if count_problems(findings) else 0
