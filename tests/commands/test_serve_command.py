"""`negjax serve` as a command: what it refuses before it loads a model, and a server that stops at Ctrl-C."""

import re
import signal
import subprocess

import pytest
from support.command import command_line, run_command
from support.folders import fill
from support.models import tiny_model
from support.server import get_json

from negjax.search.build import build_index
from negjax.weights.write import write_negjax


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: others would see your pictures; give a --token"),
        (["--token", "secret"], "--token: give 16 or more letters and digits"),
        ([], "missing is no index"),
    ],
)
def test_errors_are_one_line(words, message, capsys):
    code, _, error = run_command(capsys, "serve", "missing", *words)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def test_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, error = run_command(capsys, "serve", "missing")
    assert code == 2
    assert 'needs starlette and uvicorn: pip install "negjax[serve]"' in error


@pytest.mark.slow
def test_a_server_until_it_is_stopped(tmp_path):
    model = tiny_model()
    write_negjax(model, tmp_path / "tiny")
    build_index(fill(tmp_path / "photos"), model, {"path": str(tmp_path / "tiny")}, tmp_path / "index", progress=False)
    words = command_line("serve", tmp_path / "index", "--port", 0, "--negation", "space,threshold=0.9")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        port = int(re.fullmatch(r"open http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops\)\n", process.stdout.readline())[1])
        status, answer = get_json(port, "/api/search?q=a+beach+without+people")
        assert (status, answer["method"]) == (200, "space, threshold 0.9")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode in (0, 130)
    assert "Traceback" not in error
