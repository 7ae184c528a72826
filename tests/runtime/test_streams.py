"""Messages that cannot be written never end the work, and closed streams give their numbers to nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from negjax.runtime.streams import announce

GUARD = "from negjax.runtime.streams import announce, guard_streams\nguard_streams()\n"
WORK = GUARD + (
    "import logging, sys, pathlib, warnings\n"
    "from negjax.cli import _set_up_logging\n"
    "from negjax.runtime.progress import track_progress\n"
    "from rich.console import Console\n"
    "_set_up_logging()\n"
    "with track_progress(3, 'working') as done:\n"
    "    for _ in range(3):\n"
    "        logging.getLogger('negjax').info('a line %s', 'x' * 100000)\n"
    "        warnings.warn('a warning')\n"
    "        Console(stderr=True).rule('a title')\n"
    "        print('x' * 100000, file=sys.stderr, flush=True)\n"
    "        done(1)\n"
    "announce('written: x')\n"
    "pathlib.Path(sys.argv[1]).write_text('done')\n"
)


@pytest.mark.parametrize("redirection", ["2>/dev/full", ">/dev/full", ">/dev/full 2>&1", "2>&-", ">&-", ">&- 2>&-"])
def test_the_work_is_done(tmp_path, redirection):
    words = ["bash", "-c", f'"$0" -c "$1" "$2" {redirection}', sys.executable, WORK, str(tmp_path / "file")]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "done"
    if redirection == ">/dev/full":
        assert b"the output cannot be printed (No space left on device); what the command wrote" in done.stderr


def test_a_reader_that_has_gone(tmp_path):
    words = ["bash", "-c", '"$0" -c "$1" "$2" 2>&1 | true; exit ${PIPESTATUS[0]}', sys.executable, WORK]
    assert subprocess.run([*words, str(tmp_path / "file")], check=False).returncode == 0
    assert (tmp_path / "file").read_text() == "done"


def test_files_do_not_take_the_numbers_of_closed_streams(tmp_path):
    code = GUARD + f"print(open({str(tmp_path / 'file')!r}, 'w').fileno(), file=open({str(tmp_path / 'said')!r}, 'w'))"
    subprocess.run(["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=True)
    assert int(Path(tmp_path / "said").read_text()) > 2


def test_what_is_announced_is_printed(capsys):
    announce("written: x")
    assert capsys.readouterr().out == "written: x\n"
