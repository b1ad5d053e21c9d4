"""One verb for graphs and for functions: which of them a call means, and what it refuses."""

import inspect

import pytest
import tensorflow as tf
from slim_learning.dispatch import two_worlds

import slimcore as slim
from slimcore.errors import ArgumentTypeError, InputError

v1 = tf.compat.v1


def in_a_graph(tensor, scale=1, master=""):
    return "graph", tensor, scale, master


def on_functions(fn, dataset, scale=2):
    return "functions", fn, dataset, scale


@two_worlds(in_a_graph, on_functions)
def verb(tensor):
    """Does something."""
    return callable(tensor)


def test_the_first_argument_decides_by_position_and_by_either_name():
    assert verb(3) == verb(tensor=3) == ("graph", 3, 1, "")
    assert verb(len, [1]) == verb(fn=len, dataset=[1]) == ("functions", len, [1], 2)
    assert verb(tensor=len, dataset=[1]) == ("functions", len, [1], 2)


def test_the_verb_shows_the_parameters_of_both():
    assert str(inspect.signature(verb)) == "(tensor, scale=1, master='', *, dataset=None)"
    assert verb.__doc__ == "Does something."


def test_what_only_the_other_takes_is_refused_unless_it_says_no_more_than_the_default():
    assert verb(len, [1], master="") == ("functions", len, [1], 2)
    with pytest.raises(InputError, match="verb.. on a function takes no 'master'.*in a graph"):
        verb(len, [1], master="x")
    with pytest.raises(InputError, match="verb.. in a graph takes no 'dataset'.*on a function"):
        verb(3, dataset=[1])


def test_what_none_takes_is_an_error_with_the_nearest_names():
    with pytest.raises(ArgumentTypeError, match="takes no 'scales'. Close: scale"):
        verb(3, scales=1)
    with pytest.raises(ArgumentTypeError, match="needs tensor"):
        verb(scale=1)


def function_op():
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    return slim.learning.create_train_op(total_loss=lambda batch: batch, optimizer=optimizer)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: slim.learning.create_train_op(len, None, summarize_gradients=True),
            "on a function takes no 'summarize_gradients'",
        ),
        (
            lambda: slim.learning.create_train_op(tf.constant(1.0), None),
            "a scalar tensor of a tf.Graph, or elsewhere a function of a batch",
        ),
        (
            lambda: slim.learning.train(function_op(), "run", session_config=v1.ConfigProto()),
            "on a function takes no 'session_config'",
        ),
        (lambda: slim.learning.train(tf.constant(1.0), "run"), "a tensor of a tf.Graph, or"),
        (lambda: slim.training.train(function_op(), "run"), "call slim.learning.train"),
        (
            lambda: slim.evaluation.evaluate_once("", "run", None, dataset=[1]),
            "in a graph takes no 'dataset'",
        ),
        (
            lambda: slim.evaluation.evaluate_once(len, "run", dataset=[1], eval_op=[]),
            "on a function takes no 'eval_op'",
        ),
        (
            lambda: slim.evaluation.evaluation_loop("", "run", None, num_eval=2),
            "Close: num_evals",
        ),
        (
            lambda: slim.training.evaluation.evaluate_once("run"),
            "with graph.as_default",
        ),
        (lambda: slim.evaluation.evaluate_once("", "run", None), "with graph.as_default"),
    ],
)
def test_the_verbs_refuse_what_belongs_to_the_other_world_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
