"""Texts of others do nothing on a terminal, whatever its encoding."""

import io
import sys

import pytest

from negjax.cli import main
from negjax.runtime.printable import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a plain naïve 犬 text", "a plain naïve 犬 text"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("dog\u202egnp.exe", "dog\\u202egnp.exe"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u05db\u05dc\u05d1\u200f!", "\u05db\u05dc\u05d1\u200f!"),
        ("\udce9", "\\udce9"),
    ],
)
def test_controls_become_escapes(text, shown):
    assert printable(text) == shown
    shown.encode()


def test_lines_stay_lines():
    assert printable_lines("a\nb\x1b") == "a\nb\\x1b"


def test_an_ascii_terminal_and_a_hostile_name(tmp_path, monkeypatch):
    """The error is one line of ASCII, and no escape sequence reaches the terminal."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(["data", "list", "--data-dir", str(tmp_path / "é\x1b[2J犬")]) == 2
    streams[1].flush()
    line = streams[1].buffer.getvalue().decode("ascii")
    assert "\\xe9\\x1b[2J\\u72ac" in line
    assert line.count("\n") == 1
