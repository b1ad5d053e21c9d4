"""Who imports whom in slim-learning: rooms stand on each other, and on no other plugin."""

import ast
from pathlib import Path

import pytest
import slim_learning

ROOT = Path(slim_learning.__file__).parent
# Each may import those before it; what is in no room comes between `evaluate` and `commands`.
ROOMS = ["run", "optim", "training_loop", "graph", "evaluate", "", "commands"]
VERBS = ["learning.py", "training.py", "evaluation.py", "dispatch.py", "queues.py"]
PLUGINS = ("slim_data", "slim_layers", "slim_losses", "slim_metrics", "slim_nets")


def imported(path, at_the_top_alone=False):
    """Returns the names of the modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_the_top_alone else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path):
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def files(*rooms):
    return [p for p in sorted(ROOT.rglob("*.py")) if room_of(p) in rooms]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_none_above_it(room):
    above = ROOMS[ROOMS.index(room) + 1 :]
    checked = files(room)
    assert checked
    upwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in checked
        for name in imported(path)
        if name.startswith("slim_learning.") and _room(name) in above
    ]
    assert not upwards


def _room(name):
    first = name.split(".")[1]
    return first if first in ROOMS else ""


def test_no_module_imports_itself_in_a_circle():
    graph = {
        ".".join(["slim_learning", *p.relative_to(ROOT).with_suffix("").parts]): set(
            imported(p, at_the_top_alone=True)
        )
        for p in ROOT.rglob("*.py")
    }
    done = set()

    def visit(module, way):
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for other in sorted(graph[module] & graph.keys()):
                visit(other, [*way, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    assert len(done) == len(graph) > 40


def test_the_rooms_and_the_verbs_import_no_other_plugin_at_module_level():
    checked = files("run", "optim", "training_loop", "graph", "evaluate")
    checked += [ROOT / name for name in VERBS]
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in checked
        for name in imported(path, at_the_top_alone=True)
        if name.partition(".")[0] in PLUGINS
    ]
    assert not found
