"""The exception for errors that users can act on; the command line prints it as a single line."""

from collections.abc import Iterator
from contextlib import contextmanager

# Python's errors that parsed content of other types, lengths or sizes than expected leads to.
MALFORMED_CONTENT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class NegjaxError(Exception):
    """Says in one line what is wrong, where (file, row, flag or setting) and what to do."""


@contextmanager
def naming_malformed(where: object) -> Iterator[None]:
    """Names the file whose parsed content the block reads, instead of Python's errors about malformed content.

    Args:
        where: the file.

    Raises:
        NegjaxError: the block raised an error that content of other types, lengths or sizes leads to.
    """
    try:
        yield
    except MALFORMED_CONTENT as error:
        reason = " ".join(str(error).split())[:200]
        raise NegjaxError(f"{where} is malformed ({type(error).__name__}: {reason}): download it again") from error
