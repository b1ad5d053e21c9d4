import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.debugging import check_finite, check_not_negative, check_range, checking
from slimcore.errors import InputError

NAN, INFINITE = float("nan"), float("inf")
CHECKS = [
    (
        lambda x: check_finite(x, "toy: inputs"),
        [1.0, NAN, INFINITE],
        "toy: inputs .*finite.*2.*3",
    ),
    (lambda x: check_not_negative(x, "toy: weights"), [1.0, -2.0], "toy: weights .*negative.*-2"),
    (lambda x: check_not_negative(x, "toy: weights"), [1.0, NAN], "toy: weights .*negative"),
    (lambda x: check_range(x, 0, 9, "toy: labels"), [3, 10], "toy: labels .*0.*9.*3.*10"),
    (lambda x: check_range(x, 0, 1, "toy: labels"), [NAN], "toy: labels .*0.*1"),
]


@pytest.mark.parametrize("check,values,message", CHECKS)
def test_eager_mode_raises_an_input_error(check, values, message):
    with slim.debug_checks(), pytest.raises(InputError, match=message):
        check(tf.constant(values))


@pytest.mark.parametrize("check,values,message", CHECKS)
def test_a_traced_function_raises_when_it_runs(check, values, message):
    with slim.debug_checks():
        traced = tf.function(check).get_concrete_function(tf.TensorSpec([None], _dtype(values)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        traced(tf.constant(values))


@pytest.mark.parametrize("check,values,message", CHECKS)
def test_a_graph_raises_when_it_runs(check, values, message):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session, slim.debug_checks():
        checked = check(tf.constant(values))
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            session.run(checked)


@pytest.mark.parametrize("check,values,message", CHECKS)
def test_nothing_is_checked_or_added_when_off(check, values, message):
    value = tf.constant(values)
    assert not checking()
    assert check(value) is value


def test_good_values_come_through():
    with slim.debug_checks():
        for check, good in [(CHECKS[0][0], [1.0]), (CHECKS[1][0], [0.0]), (CHECKS[3][0], [0, 9])]:
            np.testing.assert_array_equal(check(tf.constant(good)), good)
            np.testing.assert_array_equal(tf.function(check)(tf.constant(good)), good)


def test_empty_tensors_and_integers_are_finite_and_in_range():
    with slim.debug_checks():
        assert check_range(tf.zeros([0]), 1, 2, "toy").shape == [0]
        assert check_finite(tf.constant([1]), "toy").shape == [1]


def test_checks_stay_on_until_turned_off_and_blocks_put_them_back():
    slim.debug_checks()
    try:
        assert checking()
        with slim.debug_checks(False):
            assert not checking()
        assert checking()
    finally:
        slim.debug_checks(False)
    assert not checking()


@pytest.mark.parametrize("value,on", [("1", True), ("0", False), ("", False)])
def test_the_environment_turns_checks_on(value, on):
    code = "import slimcore.debugging as d; print(d.checking())"
    environment = {**os.environ, "SLIM_DEBUG": value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(on)


def _dtype(values):
    return tf.constant(values).dtype
