"""One verb for graphs and for functions: its signature, and what it refuses."""

import inspect
import subprocess
import sys

import pytest
import tensorflow as tf
from slim_learning.dispatch import GraphDefault

import slimcore as slim
from slimcore.errors import ArgumentTypeError, InputError

v1 = tf.compat.v1

VERBS = {
    "learning.create_train_op": ("check_numerics", "jit_compile"),
    "training.create_train_op": ("check_numerics", "clip_gradient_norm"),
    "learning.train": ("ignore_live_threads", "dataset"),
    "evaluation.evaluate_once": ("hooks", "dataset"),
    "evaluation.evaluation_loop": ("hooks", "dataset"),
}


def verb(name):
    namespace, _, function = name.partition(".")
    return getattr(getattr(slim, namespace), function)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_one_signature_whose_every_parameter_is_explained(name):
    parameters = inspect.signature(verb(name)).parameters
    last_of_graphs, first_of_functions = VERBS[name]
    kinds = {n: p.kind for n, p in parameters.items()}
    assert kinds[last_of_graphs] is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds[first_of_functions] is inspect.Parameter.KEYWORD_ONLY
    assert not {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} & {*kinds.values()}
    text = verb(name).__doc__
    arguments = text[text.index("Args:") : text.index("Returns:")]
    missing = [n for n in parameters if f"\n        {n}: " not in arguments]
    assert not missing
    assert text.index("Returns:") < text.index("Raises:")


def test_a_type_checker_sees_the_parameters_of_both_modes(tmp_path):
    file = tmp_path / "uses.py"
    file.write_text(
        "import slimcore as slim\n"
        "reveal_type(slim.learning.train)\n"
        "op = slim.learning.create_train_op(lambda batch: batch, None, jit_compile=True)\n"
        "reveal_type(op)\n"
        "reveal_type(slim.training.create_train_op)\n"
        "reveal_type(slim.evaluation.evaluate_once)\n"
        "reveal_type(slim.evaluation.evaluation_loop)\n"
        'slim.learning.train(op, "run", dataset=None, save_every_n_steps=3)\n'
    )
    options = ["--ignore-missing-imports", "--follow-imports=silent", "--no-incremental"]
    command = [sys.executable, "-m", "mypy", *options, str(file)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    revealed = [line for line in said.splitlines() if "Revealed type" in line]
    train, op, training, once, loop = revealed
    assert "Overload(" in train
    assert "dataset:" in train
    assert "ignore_live_threads:" in train
    assert "slim_learning.training_loop.train_op.TrainOp" in op
    assert "transform_grads_fn:" in training
    assert "jit_compile:" in training
    for evaluation in (once, loop):
        assert "eval_op:" in evaluation
        assert "moving_averages:" in evaluation
    assert 'Unexpected keyword argument "save_every_n_steps"' in said


@pytest.mark.parametrize(
    "wrong, right",
    [
        ("save_every_n_steps", "save_interval_steps"),
        ("log_every_steps", "log_every_n_steps"),
        ("early_stop", "early_stopping"),
        ("num_of_steps", "number_of_steps"),
    ],
)
def test_an_argument_that_is_unknown_gets_the_right_one_among_the_nearest(wrong, right):
    with pytest.raises(ArgumentTypeError, match=f"train.. takes no {wrong!r}") as caught:
        slim.learning.train(function_op(), "run", **{wrong: 3})
    close = str(caught.value).partition("Close: ")[2].split(", ")
    assert right in close
    assert len(close) == len(set(close)) <= 3


def test_nothing_close_is_not_mentioned():
    with pytest.raises(ArgumentTypeError, match="takes no 'zzz'$"):
        slim.learning.train(function_op(), "run", zzz=3)


def test_what_only_the_other_mode_takes_is_allowed_where_it_says_no_more_than_the_default():
    data = tf.data.Dataset.from_tensors(1.0)
    for given in ({"save_summaries_secs": 6 * 100}, {"master": ""}, {"sync_optimizer": None}):
        with pytest.raises(InputError, match="on_disk_full"):  # which is looked at later
            slim.learning.train(function_op(), "run", dataset=data, on_disk_full="no", **given)
    with pytest.raises(InputError, match="takes no 'save_summaries_secs'"):
        slim.learning.train(function_op(), "run", dataset=data, save_summaries_secs=601)


def test_a_default_that_differs_between_the_modes_is_that_of_each():
    every = inspect.signature(slim.learning.train).parameters["log_every_n_steps"].default
    assert isinstance(every, GraphDefault)
    assert (int(every), every.on_functions) == (1, 100)
    evals = inspect.signature(slim.evaluation.evaluate_once).parameters["num_evals"].default
    assert (int(evals), evals.on_functions) == (1, None)


def test_the_data_given_by_position_are_asked_for_by_name():
    data = tf.data.Dataset.from_tensors(1.0)
    with pytest.raises(InputError, match="pass the data by name: dataset="):
        slim.learning.train(function_op(), "run", data)


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
            "Close: .*num_evals",
        ),
        (lambda: slim.learning.train(function_op(), "run"), "needs dataset="),
        (lambda: slim.evaluation.evaluate_once(len, "run"), "needs dataset="),
        (
            lambda: slim.training.evaluation.evaluate_once("run"),
            "with graph.as_default",
        ),
        (lambda: slim.evaluation.evaluate_once("", "run", None), "with graph.as_default"),
    ],
)
def test_the_verbs_refuse_what_belongs_to_the_other_mode_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "returned, shown",
    [
        (lambda loss, end: loss, "float32"),
        (lambda loss, end: None, "NoneType"),
        (lambda loss, end: (loss, end, 1), "tuple"),
        (lambda loss, end: {"loss": loss}, "dict"),
    ],
)
def test_a_train_step_fn_that_returns_something_else_is_told_what_to_return(
    tmp_path, returned, shown
):
    def step(*arguments):
        return returned(*slim.learning.train_step(*arguments))

    with tf.Graph().as_default():
        weights = v1.get_variable("w", [])
        train_op = slim.learning.create_train_op(weights**2, v1.train.GradientDescentOptimizer(0.1))
        message = f"train_step_fn returned {shown}, and must return the loss and whether to end"
        with pytest.raises(InputError, match=message):
            slim.learning.train(train_op, str(tmp_path), train_step_fn=step, number_of_steps=3)
