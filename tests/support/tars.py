"""Tar files to read from."""

import io
import tarfile
from pathlib import Path


def write_tar(path: Path, files: dict[str, bytes], **more: object) -> Path:
    """Write a tar file of these members, in this order; `tarfile.open` takes the rest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **more) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path
