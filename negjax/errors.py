"""The one exception that is meant for people: the command line prints it as a single line."""


class NegjaxError(Exception):
    """What is wrong, where (file, row or flag), and what to do, in one line."""
