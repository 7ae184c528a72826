"""`negjax doctor`."""

import argparse
import json
from typing import Any

from negjax.commands.parsing import command, show

DOCTOR = """\
example:
  negjax doctor"""


def add(commands: Any) -> None:
    """Adds what this file holds to the commands of the parser."""
    each = command(commands, "doctor", _doctor, "what is installed, what is missing, and what mends it", DOCTOR)
    each.add_argument("--json", action="store_true", help="for programs")


def _doctor(args: argparse.Namespace) -> int:
    from negjax.doctor import examine, problems, to_dict, to_table

    findings = examine()
    if args.json:
        print(json.dumps(to_dict(findings), indent=2))
    else:
        show(to_table(findings))
    return 1 if problems(findings) else 0
