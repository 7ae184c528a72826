"""A caption as words with the text between them, so that parts of it can be cut without changing the rest."""

import re
from dataclasses import dataclass

# Words keep their apostrophes and hyphens: "isn't", "t-shirt", "dog-free"; every other character stands alone.
_TOKEN = re.compile(r"(\w+(?:['’-]\w+)*|\S)")
# More than any rule looks ahead.
_SENTINELS = ("",) * 10


@dataclass(slots=True)  # frozen ones take twice as long to make
class Tokens:
    """The words and punctuation marks of a caption.

    Attributes:
        text: the caption.
        words: its words in lower case with straight apostrophes, each punctuation mark as a word, and some empty ones
            at the end, so that rules can look ahead.
        pieces: the text in pieces: what stands before the first word, the first word, what stands between it and the
            second, and so on.
    """

    text: str
    words: tuple[str, ...]
    pieces: list[str]

    def __len__(self) -> int:
        return len(self.pieces) // 2

    def slice(self, start: int, stop: int) -> str:
        """The text from word `start` to before word `stop`."""
        return "".join(self.pieces[2 * start + 1 : 2 * stop])


def tokenize(text: str) -> Tokens:
    """Split a caption into words and punctuation marks.

    Args:
        text: any text.

    Returns:
        Its words, and the text in pieces.
    """
    pieces = _TOKEN.split(text)
    # All at once: much faster than word by word. No word holds a space, in lower case neither.
    words = " ".join(pieces[1::2]).lower().replace("’", "'").split(" ")
    return Tokens(text, tuple(words) + _SENTINELS, pieces)
