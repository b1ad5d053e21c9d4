"""A scope used twice in one call is an error, unless it says that it shares; and threads."""

import asyncio
import threading

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import ScopeError, ShapeError

v1 = tf.compat.v1
INPUTS = np.float32([[1, 2, 3], [4, 5, 6]])


def dense(x, scope=None, units=3, reuse=None):
    with v1.variable_scope(scope, "Dense", [x], reuse=reuse):
        weights = slim.model_variable(
            "weights", [x.shape[-1], units], regularizer=lambda w: tf.reduce_sum(w**2)
        )
        return x @ weights


def eagerly(model, *args):
    return model(*args)


def traced(model, *args):
    return tf.function(model)(*args)


def in_graph(model, *args):
    return module_in_graph(model._fn, *args)


def module_in_graph(model, *args):
    with tf.Graph().as_default(), v1.Session() as session:
        outputs = model(*(tf.constant(a) for a in args))
        session.run(v1.global_variables_initializer())
        return session.run(outputs)


on_functions = pytest.mark.parametrize("mode", [eagerly, traced])
modules = pytest.mark.parametrize("mode", [eagerly, traced, module_in_graph])
everywhere = pytest.mark.parametrize("mode", [eagerly, traced, in_graph, module_in_graph])


@everywhere
@pytest.mark.parametrize("scope", ["fc", "net/fc"])
def test_a_scope_used_twice_is_an_error_that_names_it(mode, scope):
    model = slim.Module(lambda x: dense(dense(x, scope), scope))
    with pytest.raises(ScopeError, match=f"{scope}/weights is used twice.*{scope}'; .*reuse=True"):
        mode(model, INPUTS)


@everywhere
def test_a_scope_used_twice_with_two_shapes_is_named_too(mode):
    model = slim.Module(lambda x: dense(dense(x, "fc", 4), "fc", 5))
    with pytest.raises((ScopeError, ShapeError), match="two layers have the scope 'fc'"):
        mode(model, INPUTS)


def test_a_shape_that_does_not_fit_in_a_shared_scope_of_a_graph_is_named():
    model = slim.Module(lambda x: dense(dense(x, "fc", 4), "fc", 5, reuse=True))
    with pytest.raises(ShapeError, match=r"has shape \(3, 4\) and is asked for as \(4, 5\): two"):
        in_graph(model, INPUTS)


@everywhere
@pytest.mark.parametrize("reuse", [True, v1.AUTO_REUSE])
def test_sharing_that_is_said_shares(mode, reuse):
    def fn(x):
        return dense(x, "fc"), dense(x, "fc", reuse=reuse)

    one, other = mode(slim.Module(fn), INPUTS)
    np.testing.assert_array_equal(one, other)


@modules
def test_reuse_variables_of_a_scope_shares(mode):
    def fn(x):
        with v1.variable_scope("tower") as scope:
            one = dense(x, "fc")
            scope.reuse_variables()
            return one, dense(x, "fc")

    one, other = mode(slim.Module(fn), INPUTS)
    np.testing.assert_array_equal(one, other)


@modules
def test_a_template_shares(mode):
    def fn(x):
        layer = v1.make_template("shared", dense, scope="fc")
        return layer(x), layer(x)

    model = slim.Module(fn)
    one, other = mode(model, INPUTS)
    np.testing.assert_array_equal(one, other)
    mode(model, INPUTS)


@on_functions
def test_default_names_further_calls_and_nested_modules_are_apart(mode):
    inner = slim.Module(lambda x: dense(x, "fc"))
    model = slim.Module(lambda x: inner(inner(dense(dense(dense(x)), "fc"))))
    for _ in range(2):
        mode(model, INPUTS)
    assert list(model.named_variables) == ["Dense/weights", "Dense_1/weights", "fc/weights"]
    assert list(inner.named_variables) == ["fc/weights"]
    weights = [v.numpy() for v in (*model.variables, *inner.variables, *inner.variables)]
    expected = np.linalg.multi_dot([INPUTS, *weights])
    np.testing.assert_allclose(mode(model, INPUTS), expected, rtol=1e-4, atol=1e-5)


@on_functions
def test_bodies_of_control_flow_may_use_a_scope_again_and_again(mode):
    def fn(x):
        y = tf.map_fn(lambda row: dense(row[None], "mapped")[0], x)
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, dense(y, "loop")), [0, y])
        return tf.cond(tf.reduce_sum(y) > 0, lambda: dense(y, "if"), lambda: dense(y, "if"))

    model = slim.Module(fn)
    outputs = mode(model, INPUTS)
    mapped, loop, branch = (v.numpy() for v in model.variables)
    expected = np.linalg.multi_dot([INPUTS, mapped, loop, loop, loop, branch])
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_a_scope_used_twice_in_the_body_of_a_loop_is_an_error():
    def fn(x):
        return tf.map_fn(lambda row: dense(dense(row[None], "fc"), "fc")[0], x)

    for mode in (eagerly, traced):
        with pytest.raises(ScopeError, match="scope 'fc'"):
            mode(slim.Module(fn), INPUTS)


def test_a_function_that_works_in_eager_mode_alone_may_share():
    def fn(x):
        layers = int(x.numpy().shape[0])
        return [dense(x, "fc", reuse=v1.AUTO_REUSE) for _ in range(layers)]

    one, other = slim.Module(fn)(tf.constant(INPUTS))
    np.testing.assert_array_equal(one, other)


def test_the_check_of_sharing_leaves_no_trace():
    model = slim.Module(lambda x: dense(dense(x, "fc"), "fc", reuse=True))
    with slim.collecting() as gathered:
        model(INPUTS)
    assert len(gathered.get(v1.GraphKeys.REGULARIZATION_LOSSES)) == 1
    (penalty,) = model.regularization_losses
    np.testing.assert_allclose(penalty, np.sum(model.variables[0].numpy() ** 2), rtol=1e-6)


def in_threads(*functions):
    """Calls functions at once, each in a thread, and raises what one raised."""
    barrier, errors = threading.Barrier(len(functions)), []

    def run(function):
        barrier.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[f], daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


@pytest.mark.parametrize("trial", range(15))
def test_first_calls_of_eight_threads_make_one_set_of_variables(trial):
    """Every result comes from the variables kept, and the losses are those of the thread's call."""
    inner = slim.Module(lambda x: dense(x, "inner"))

    def fn(x, scale):
        slim.add_to_collections(v1.GraphKeys.LOSSES, tf.constant(scale))
        return inner(dense(dense(x, "one"), "two")) * scale, {"scale": scale}

    model, results = slim.Module(fn), {}

    def call(i):
        outputs = model(INPUTS, float(i))[0]
        (loss,), (penalty, *_) = model.losses, model.regularization_losses
        results[i] = outputs, float(loss), float(penalty), model.end_points["scale"]

    in_threads(*(lambda i=i: call(i) for i in range(8)))
    assert list(model.named_variables) == ["one/weights", "two/weights"]
    weights = [v.numpy() for v in (*model.variables, *inner.variables)]
    product = np.linalg.multi_dot([INPUTS, *weights])
    for i, (outputs, loss, penalty, scale) in results.items():
        np.testing.assert_allclose(outputs, product * i, rtol=1e-4, atol=1e-5)
        assert loss == scale == i
        np.testing.assert_allclose(penalty, np.sum(weights[0] ** 2), rtol=1e-5)


def test_threads_that_nest_modules_in_both_orders_do_not_wait_for_each_other():
    one, other = (slim.Module(lambda x, then=None: dense(then(x) if then else x)) for _ in range(2))
    for _ in range(10):
        in_threads(lambda: one(INPUTS, other), lambda: other(INPUTS, one))
    assert len(one.variables) == len(other.variables) == 1


def test_each_async_task_has_the_losses_of_its_own_call():
    model = slim.Module(lambda x: slim.add_to_collections(v1.GraphKeys.LOSSES, x))

    async def call(value):
        model(tf.constant(value))
        await asyncio.sleep(0)
        return float(model.losses[0])

    async def all_calls():
        return await asyncio.gather(*map(call, [1.0, 2.0, 3.0]))

    assert asyncio.run(all_calls()) == [1.0, 2.0, 3.0]


@on_functions
def test_first_calls_in_the_threads_of_replicas_make_one_set_of_variables(mode):
    strategy = tf.distribute.MirroredStrategy(
        ["/CPU:0", "/CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    inner = slim.Module(lambda x: dense(x, "inner"))
    with strategy.scope():
        model = slim.Module(lambda x: inner(dense(x, "outer")))
        run = tf.function(lambda x: strategy.run(model, [x])) if mode is traced else None
        outputs = run(INPUTS) if run else strategy.run(model, [INPUTS])
    outer, within = model.variables[0].numpy(), inner.variables[0].numpy()
    for result in strategy.experimental_local_results(outputs):
        np.testing.assert_allclose(result, INPUTS @ outer @ within, rtol=1e-5)
    assert (len(model.variables), len(inner.variables)) == (1, 1)
