"""Folders of paths that files are found without: where other files need them, the files may be wrong ones."""

import sys
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.rows import RowRef
from negjax.runtime.paths import expand_home


@dataclass
class DroppedFolders:
    """The folders at the start of paths that their files are found without: "a/b", or "" for none.

    Attributes:
        found: Such folders -> a description of the first file that is found without them, and whether any such file is
            in further folders of its path.
    """

    found: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def add(self, row: RowRef, file: str, media_root: str) -> str:
        """Adds the file of a row, below `media_root`; returns the folders that it is found without."""
        folders = PurePosixPath(plain_path(row.path)).parts[:-1]
        root = PurePosixPath(expand_home(media_root))
        below = PurePosixPath(file).parts[len(root.parts) :]
        depth = next((end for end, part in enumerate(below, 1) if part.endswith(".tar")), len(below) - 1)
        start = folders[: max(len(folders) - depth, 0)]
        dropped = sys.intern("/".join(start[:-1] if start and start[-1] == root.name else start))
        self._add(dropped, f"row {row.row}: {row.path} is {file}", len(folders) > len(start))
        return dropped

    def add_later(self, later: "DroppedFolders") -> None:
        """Adds those of later rows."""
        for dropped, (description, nested) in later.found.items():
            self._add(dropped, description, nested)

    def doubtful(self) -> dict[str, str]:
        """Those that end with folders which other files are found in -> a description of their first file."""

        def exceed(dropped: str) -> bool:
            parts = dropped.split("/") if dropped else []
            return any(self.found.get("/".join(parts[:end]), ("", False))[1] for end in range(len(parts)))

        return {dropped: description for dropped, (description, _) in self.found.items() if exceed(dropped)}

    def _add(self, dropped: str, description: str, nested: bool) -> None:
        first, was_nested = self.found.get(dropped, (description, False))
        self.found[dropped] = first, was_nested or nested
