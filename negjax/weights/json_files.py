"""Reads the JSON files of other people's folders."""

import json
from typing import Any

from etils import epath

from negjax.errors import NegjaxError


def read_json_object(path: epath.Path) -> dict[str, Any]:
    """Reads a file that holds a JSON object. Raises NegjaxError if it cannot be read or holds anything else."""
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise NegjaxError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise NegjaxError(f"{path} is not a JSON object: download it again")
    return data
