"""The command `negjax`, in this process or in another."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from negjax.cli import main


def run_command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command in this process and return its exit code, its output and its messages."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def command_line(*words: object) -> list[str]:
    """The command for a process of its own."""
    return [sys.executable, "-m", "negjax.cli", *map(str, words)]


def environment_without(*names: str) -> dict[str, str]:
    """The environment without these variables, such as XLA_FLAGS: eight devices and quick compilation."""
    return {name: value for name, value in os.environ.items() if name not in names}


def run_process(*words: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own and wait for it."""
    return subprocess.run(command_line(*words), capture_output=True, text=True, env=env)
