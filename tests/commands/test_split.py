"""`negjax split` prints how captions are read, of arguments, files and stdin."""

import io
import json
from pathlib import Path

import pytest

from negjax.cli import main

CAPTIONS = "a beach without people\r\nno dogs\n\na cat"
READ = [("a beach", ["people"], "but_not"), ("", ["dogs"], "single"), ("", [], "none"), ("a cat", [], "none")]


def read(output: str) -> list[tuple[str, list[str], str]]:
    rows = [json.loads(line) for line in output.splitlines()]
    assert [row["caption"] for row in rows] == CAPTIONS.splitlines()
    return [(row["affirmed"], row["negated"], row["operator"]) for row in rows]


def test_a_caption_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", "a beach without people"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "but_not" in line)
    assert row.split() == ["a", "beach", "without", "people", "a", "beach", "people", "but_not"]


def test_a_file_as_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "captions.txt"
    file.write_text("\ufeff" + CAPTIONS, encoding="utf-8", newline="")
    assert main(["split", "--file", str(file), "--json"]) == 0
    assert read(capsys.readouterr().out) == READ


def test_stdin_as_json_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CAPTIONS.encode())))
    assert main(["split", "--file", "-", "--json"]) == 0
    assert read(capsys.readouterr().out) == READ


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either TEXT or --file FILE"),
        (["no dogs", "--file", "captions.txt"], "give either TEXT or --file FILE"),
        (["--file", "missing.txt"], "missing.txt: No such file"),
        (["--file", "latin.txt"], "latin.txt: line 2 is not UTF-8"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_bytes(b"no dogs\nno caf\xe9\n")
    assert main(["split", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
