"""The exception for errors that users can act on; the command line prints it as a single line."""


class NegjaxError(Exception):
    """Says in one line what is wrong, where (file, row, flag or setting) and what to do."""
