"""The public names of tf-slim's training and evaluation, with the same parameters and defaults."""

import ast
import inspect
import json
from pathlib import Path

import pytest
from slim_learning.dispatch import GraphDefault

import slimcore as slim

API = json.loads((Path(__file__).parent / "data/tf_slim_api.json").read_text())

# Where the names of each module of tf-slim are found here.
PLACES = {
    "tf_slim.evaluation": lambda: slim.evaluation,
    "tf_slim.learning": lambda: slim.learning,
    "tf_slim.model_analyzer": lambda: slim.model_analyzer,
    "tf_slim.queues": lambda: slim.queues,
    "tf_slim.training.evaluation": lambda: slim.training.evaluation,
    "tf_slim.training.training": lambda: slim.training.training,
}
# What a graph must be told, and a function need not.
OPTIONAL_ON_FUNCTIONS = {("evaluate_once", "logdir"), ("evaluation_loop", "logdir")}
CASES = [(module, name) for module in PLACES for name in API[module]]


def facts_of(module, name):
    """Returns what is recorded of a name, of an alias that of what it stands for."""
    entry = API[module][name]
    while "params" not in entry and "alias_of" in entry:
        module, _, name = entry["alias_of"].rpartition(".")
        if module not in API:
            return entry  # something of TensorFlow's
        entry = API[module][name]
    return entry


def check_parameters(function, recorded, where):
    ours = inspect.signature(function).parameters
    assert list(ours)[: len(recorded)] == [p[0] for p in recorded], where
    for name, *default in recorded:
        found = ours[name].default
        if default:
            try:
                expected = ast.literal_eval(default[0])
            except ValueError:
                assert found.__name__ == default[0], f"{where}({name})"
            else:
                assert found == expected, f"{where}({name}={found!r})"
                same = type(found) is type(expected) or isinstance(found, GraphDefault)
                assert same, f"{where}({name}={found!r})"
        elif (where, name) not in OPTIONAL_ON_FUNCTIONS:
            assert found is inspect.Parameter.empty, f"{where}({name}=...)"
    # What is ours alone comes last, and may be left out.
    for name in list(ours)[len(recorded) :]:
        assert ours[name].default is not inspect.Parameter.empty, f"{where}({name})"


@pytest.mark.parametrize("module, name", CASES, ids=[f"{m}.{n}" for m, n in CASES])
def test_a_name_of_tf_slim_is_here_with_its_parameters(module, name):
    facts, found = facts_of(module, name), getattr(PLACES[module](), name)
    assert inspect.isclass(found) == (facts["kind"] == "class")
    if "params" in facts:
        check_parameters(found, facts["params"], name)
    for method, recorded in facts.get("methods", {}).items():
        check_parameters(getattr(found, method), recorded, f"{name}.{method}")
    assert not slim.has_arg_scope(found)


def test_the_names_of_the_training_package_are_at_its_top_too():
    assert slim.training.train is slim.training.training.train
    assert slim.training.create_train_op is slim.training.training.create_train_op
    assert slim.training.evaluation.SummaryAtEndHook is slim.evaluation.SummaryAtEndHook
