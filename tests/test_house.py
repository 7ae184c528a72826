"""The house stays tidy: one class name has one meaning, and files and functions stay small enough to read."""

import ast
import statistics
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "negjax"
FILES = sorted(PACKAGE.rglob("*.py"))

# Names that stand more than once, because they play the same role in parallel rooms.
PARALLEL_CLASSES: set[str] = set()
PARALLEL_CONSTANTS = {
    "ADAPTER",  # what each file of negjax/adapters declares
    "EPILOG",  # of a command's --help
    "OBJECTIVE",  # what each file of negjax/objectives declares
}

MEDIAN_LINES, P90_LINES, MOST_LINES, MOST_FUNCTION_LINES = 100, 220, 360, 80


def trees() -> dict[str, ast.Module]:
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in FILES}


def repeated(names: dict[str, set[str]], allowed: set[str]) -> dict[str, list[str]]:
    return {name: sorted(files) for name, files in names.items() if len(files) > 1 and name not in allowed}


def test_a_class_name_has_one_meaning():
    """Type aliases count as classes: `Batch = dict[str, np.ndarray]`."""
    names = defaultdict(set)
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names[node.name.lstrip("_")].add(file)
        for name in assigned(tree):
            if name.lstrip("_")[:1].isupper() and not name.isupper() and len(name.lstrip("_")) > 1:
                names[name.lstrip("_")].add(file)
    assert len(names) > 50
    assert not repeated(names, PARALLEL_CLASSES)


def test_a_public_constant_has_one_meaning():
    names = defaultdict(set)
    for file, tree in trees().items():
        for name in assigned(tree):
            if name.isupper() and not name.startswith("_") and len(name) > 1:
                names[name].add(file)
    assert len(names) > 50
    assert not repeated(names, PARALLEL_CONSTANTS)


def test_functions_and_files_are_short():
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    code = sorted(count for path, count in lines.items() if path.name != "__init__.py")
    assert statistics.median(code) <= MEDIAN_LINES
    assert code[int(0.9 * len(code))] <= P90_LINES
    assert max(code) <= MOST_LINES
    long = [
        f"{file}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for file, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES
    ]
    assert not long


def test_public_functions_say_what_they_do():
    """Every public function, class and module has a docstring (methods of private classes and overloads aside)."""
    missing = []
    for file, tree in trees().items():
        if not ast.get_docstring(tree):
            missing.append(file)
        missing += [
            f"{file}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert not missing


def test_test_files_have_names_of_their_own():
    """pytest collects no two files of one name, unless each folder were a package."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) > 100
    assert sorted(names) == sorted(set(names))


def assigned(tree: ast.Module) -> list[str]:
    """The names that a module assigns at its top level."""
    targets = [
        target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return [target.id for target in targets if isinstance(target, ast.Name)]
