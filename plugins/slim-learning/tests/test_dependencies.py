"""What slim-learning imports is what it depends on; the rest is looked up."""

import ast
from pathlib import Path

import slim_learning

SOURCES = sorted(Path(slim_learning.__file__).parent.rglob("*.py"))
# From the bottom to the top; what is not named here may import all of them.
ROOMS = ("run", "optim", "training_loop", "graph", "evaluate", "commands")


def imported(path, everywhere):
    """Returns the modules that a file imports, at its head or everywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{node.module}.{node.names[0].name}"


def test_importing_it_needs_no_other_plugin():
    others = {
        (path.name, module)
        for path in SOURCES
        for module in imported(path, everywhere=False)
        if module.startswith("slim_") and not module.startswith("slim_learning")
    }
    assert not others


def test_no_room_imports_from_one_above_it():
    upwards = {
        (str(path.relative_to(SOURCES[0].parent)), module)
        for path in SOURCES
        for module in imported(path, everywhere=True)
        if (here := path.parent.name) in ROOMS
        and (there := module.split(".")[1] if module.startswith("slim_learning.") else "") in ROOMS
        and ROOMS.index(there) > ROOMS.index(here)
    }
    assert not upwards


def test_there_is_a_dozen_of_rooms_and_modules():
    top = Path(slim_learning.__file__).parent
    names = {p.stem for p in top.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert len(names - {"__init__"}) <= 14, names
