"""Texts of others (file names, captions, names of runs) as something that is only read.

Control characters move the cursor, clear the screen or set the clipboard of a terminal; marks of direction reorder what
stands beside them. Both are shown as escapes.
"""

import re
import sys

# C0 and C1 controls, the explicit marks of direction, and lone surrogates (bytes of file names that are not UTF-8: no
# file can be written with them). The implicit marks (U+200E, U+200F) belong to Arabic and Hebrew and reorder nothing.
_ACTIVE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    r"""The text with control characters and marks of direction as escapes, "\\x1b" or "\\u202e"."""
    return _ACTIVE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), str(text))


def printable_lines(text: str) -> str:
    """As `printable`, of each line of a text."""
    return "\n".join(map(printable, text.split("\n")))


def replace_unencodable() -> None:
    """Lets stdout and stderr write escapes for characters that their encoding lacks, as on an ASCII terminal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
