"""Which server is asked, and how much of it is used."""

import importlib.util
import math
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from negjax.errors import NegjaxError

KEY_VARIABLE = "NEGJAX_SERVER_KEY"
_PATH = "/chat/completions"


@dataclass(frozen=True)
class ServerSettings:
    """Settings of the server. The key is read from the environment where it is sent, and kept nowhere.

    Attributes:
        url: its base URL, such as http://localhost:8000/v1.
        model: the name of the model.
        key_variable: the environment variable with the key; a server without keys needs none.
        concurrency: the number of requests at a time.
        timeout: seconds that a request may take.
        requests_per_minute: at most; infinity for any number.
        tokens_per_minute: at most, in and out; infinity for any number.
        price_in: of a million tokens in; None where it is not known.
        price_out: of a million tokens out.
        tries: how often a request is sent that fails (busy server, lost connection, time-out).
        backoff: seconds before the second try, doubled before each further one, at most a minute.
    """

    url: str
    model: str
    key_variable: str = KEY_VARIABLE
    concurrency: int = 16
    timeout: float = 120.0
    requests_per_minute: float = math.inf
    tokens_per_minute: float = math.inf
    price_in: float | None = None
    price_out: float | None = None
    tries: int = 6
    backoff: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _checked_url(self.url))
        if not self.model.strip():
            raise NegjaxError("--server-model not given: it is the name of the model, as the server lists it")
        limits = {
            "--concurrency": self.concurrency,
            "--request-timeout": self.timeout,
            "--requests-per-minute": self.requests_per_minute,
            "--tokens-per-minute": self.tokens_per_minute,
        }
        for flag, value in limits.items():
            if not value > 0:
                raise NegjaxError(f"{flag} {value}: give a number above 0")
        for flag, price in {"--price-in": self.price_in, "--price-out": self.price_out}.items():
            if price is not None and not 0 <= price < math.inf:
                raise NegjaxError(f"{flag} {price}: give the price of a million tokens, 0 or more")
        if (self.price_in is None) != (self.price_out is None):
            raise NegjaxError("--price-in and --price-out go together: give both")

    def read_key(self) -> str:
        """The key, "" for none; raises NegjaxError, which does not show it, if it cannot be one."""
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and (key.isprintable())):
            raise NegjaxError(f"the environment variable {self.key_variable} holds no key: it has other characters")
        return key


def _checked_url(url: str) -> str:
    """The base URL without a slash at its end; raises NegjaxError if it is none."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise NegjaxError(f"--server {url.split('@')[-1]}: give the base URL, such as http://localhost:8000/v1")
    if parts.username or parts.password:
        raise NegjaxError(
            f"--server ...@{parts.hostname}: leave the key out of the URL, and put it into the environment variable "
            f"{KEY_VARIABLE}"
        )
    if parts.query or parts.fragment:
        raise NegjaxError(f"--server {url.split('?')[0]}: leave out what follows the path")
    return url.rstrip("/").removesuffix(_PATH)


def check_extra() -> None:
    """Raises NegjaxError if the libraries of the extra are missing."""
    if missing := [name for name in ("httpx2", "tenacity") if importlib.util.find_spec(name) is None]:
        raise NegjaxError(f'--server needs {" and ".join(missing)}: pip install "negjax[llm]"')
