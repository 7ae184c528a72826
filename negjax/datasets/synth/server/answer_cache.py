"""Answers on disk, by what was asked: nothing that was answered is asked, and paid for, again.

A SQLite file with its usual journal, which a killed process cannot damage, and which several processes may share. An
answer is in it before it is used. It holds neither keys nor addresses of servers.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.paths import to_local_path

_LOCK_SECONDS = 60.0  # that a process waits for another one's write
_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    request TEXT, try INTEGER, content TEXT NOT NULL, finish TEXT NOT NULL, model TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, PRIMARY KEY (request, try)) WITHOUT ROWID"""
_QUERY = "SELECT content, finish, model, tokens_in, tokens_out FROM answers WHERE request = ? AND try = ?"


@dataclass(frozen=True)
class ServerAnswer:
    """What a server answered.

    Attributes:
        content: the text; or why the request was refused.
        finish: why it ends there: "stop", "length" (it is cut off), "refused" (there is no answer), and others.
        model: the model that says to have answered.
        tokens_in: of the request, as the server counted.
        tokens_out: of the answer.
    """

    content: str
    finish: str = "stop"
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


KeptAnswer = tuple[str, int, ServerAnswer]  # digest of the request, number of the try from 0, answer


class AnswerCache:
    """The answers in a file, which is made where there is none; a context manager.

    Args:
        path: the file.
        read_only: only look at it: where there is none, there are no answers.

    Raises:
        NegjaxError: the file is no cache, or cannot be written.
    """

    def __init__(self, path: epath.PathLike, *, read_only: bool = False):
        self.path = to_local_path(path, "--answers")
        try:
            if not read_only:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            name = ":memory:" if read_only and not self.path.exists() else self.path
            # Used by several threads; SQLite lets one at a time.
            self._file = sqlite3.connect(name, timeout=_LOCK_SECONDS, check_same_thread=False)
            self._file.execute(_TABLE)
            self._file.execute(_QUERY, ("", 0))
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from error

    def __enter__(self) -> "AnswerCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, request: str, attempt: int) -> ServerAnswer | None:
        """The answer to the try of this number, from 0, of a request; None for none."""
        try:
            row = self._file.execute(_QUERY, (request, attempt)).fetchone()
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return None if row is None else ServerAnswer(*row)

    def put(self, answers: Sequence[KeptAnswer]) -> None:
        """Keeps answers; they are on disk when this returns."""
        try:
            with self._file:
                values = [(request, attempt, *astuple(answer)) for request, attempt, answer in answers]
                self._file.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> NegjaxError:
        return NegjaxError(
            f"--answers {self.path} cannot be used as a cache of answers ({error}): give another file on a local disk"
        )
