"""Imports go one way, as the design says, and the core needs neither PyTorch nor TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from negjax.search.stores.table import STORES

HOUSE = Path(__file__).parent.parent
PACKAGE = HOUSE / "negjax"

GROUND = {"config", "tokenizers", "language", "runtime", "media", "errors", "json_values"}
# Room -> the rooms that it may import from, besides itself.
MAY = {
    "errors": set(),
    "json_values": {"errors"},
    # Its settings of a source are named after the objectives: it reads their tables, which import no JAX.
    "config": GROUND | {"objectives"},
    "config_file": GROUND,
    "settings": GROUND,
    "tokenizers": GROUND,
    "language": GROUND,
    "runtime": GROUND,
    "media": GROUND,
    "negation": GROUND,
    "models": GROUND | {"negation", "adapters"},
    "adapters": {"config", "errors"},
    "weights": GROUND | {"models", "adapters"},
    "objectives": {"runtime"},
    "synthesis": GROUND,
    "datasets": GROUND | {"synthesis"},
    "input": GROUND | {"synthesis", "datasets", "objectives"},
    "evaluation": GROUND | {"models", "negation", "input", "datasets", "synthesis"},
    "export": GROUND | {"models", "weights", "datasets"},
    "search": GROUND | {"models", "negation", "evaluation"},
    "training": GROUND | {"models", "adapters", "objectives", "input", "datasets", "synthesis"},
}
# These tie the rooms together and may see everything below them; nothing in a room imports them.
TIES = {"bench", "cli", "commands", "compile", "largest_batch", "quickstart", "experiment", "doctor"}
TIES |= {"quickstart_index", "__init__", "__main__"}
OUTSIDE = {"torch", "torchvision", "open_clip", "transformers", "tensorflow", "timm"}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def module(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """The full names of all that a file imports, wherever in it: "negjax.errors.NegjaxError"."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name, not relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_of(path: Path) -> set[str]:
    return {parts[1] for name in imported(path) if (parts := name.split("."))[0] == "negjax" and len(parts) > 1}


def test_every_room_has_a_rule():
    assert {room(path) for path in FILES} <= MAY.keys() | TIES
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    if room(path) not in TIES:
        wrong = rooms_of(path) - MAY[room(path)] - {room(path), "__version__"}
        assert not wrong, f"{path.relative_to(HOUSE)} must not import from {', '.join(sorted(wrong))}"
    outer = {name.split(".")[0] for name in imported(path)}
    assert not outer & {"configs", "launch", "tools", "tests"}
    assert not outer & {"tensorflow"}


STANDARD = {"collections", "dataclasses", "functools", "importlib", "typing"}
TABLES = {"negjax.objectives.inputs", "negjax.objectives.table"}  # of objectives, for those who do not compute them


def test_objectives_import_jax_and_the_mesh_alone():
    for path in (PACKAGE / "objectives").glob("*.py"):
        assert {name.split(".")[0] for name in imported(path)} <= STANDARD | {"jax", "negjax"}
        for name in imported(path):
            if name.startswith("negjax.") and not name.startswith("negjax.objectives."):
                assert name.startswith("negjax.runtime.mesh.")


def test_config_and_input_read_the_tables_of_objectives_alone():
    for room_name in ("config", "input"):
        for path in (PACKAGE / room_name).rglob("*.py"):
            modules = {name.rpartition(".")[0] for name in imported(path) if name.startswith("negjax.objectives")}
            assert modules <= TABLES


def test_the_config_imports_no_jax():
    program = "import negjax.config, negjax.config_file, sys; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=HOUSE).returncode == 0


def test_one_file_knows_orbax():
    assert [path.name for path in FILES if any(name.startswith("orbax") for name in imported(path))] == ["orbax_io.py"]


def test_rooms_have_no_cycles():
    """Files import each other in one direction too, looking at imports at the top of files."""
    edges = {}
    modules = {module(path): path for path in FILES}
    for name, path in modules.items():
        edges[name] = {
            f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules else node.module
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("negjax")
            for alias in node.names
        }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle of imports: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in edges.get(name, ()):
                if other != name:
                    visit(other, (*trail, name))
            done.add(name)

    assert any(edges.values())
    for name in edges:
        visit(name, ())


def test_the_core_imports_neither_pytorch_nor_tensorflow():
    """In a process of its own, everything that trains, evaluates and is run by name."""
    other_side = PACKAGE / "bench" / "pytorch"
    engines = [PACKAGE / "search" / "stores" / f"{name}.py" for name in STORES]  # each needs the extra of its name
    names = [
        module(path)
        for path in FILES
        if path.name != "__main__.py" and path.parent != other_side and path not in engines
    ]
    program = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
assert "negjax.training.loop" in sys.modules and "negjax.evaluation.evaluate" in sys.modules
print(sorted({OUTSIDE} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=HOUSE)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"
