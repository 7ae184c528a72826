"""The documents name files that exist, commands that parse, and a README that stays short."""

import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in HOUSE.rglob("*.md")
    if not {".venv", ".venv-newer", "node_modules", "runs"} & set(path.relative_to(HOUSE).parts)
)
FILES = [path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*") if ".git" not in path.parts]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_named_files_exist(document):
    """A name in backticks that ends in .py or .sh is the end of some file's path; links lead somewhere."""
    text = document.read_text()
    names = re.findall(r"`([\w./-]+\.(?:py|sh|sbatch|yaml))`", text)
    missing = [
        name
        for name in names
        if not re.search("[A-Z]{3}", name) and not any(("/" + file).endswith("/" + name) for file in FILES)
    ]
    links = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", text)
    missing += [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def test_the_readme_is_short():
    assert len((HOUSE / "README.md").read_text().splitlines()) <= 200


def test_there_are_the_documents_that_people_look_for():
    for name in ("README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "configs/README.md", "launch/README.md"):
        assert (HOUSE / name).stat().st_size > 500, name
