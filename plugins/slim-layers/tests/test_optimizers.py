"""`optimize_loss`: one step in a graph, against steps worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError

v1 = tf.compat.v1


def problem():
    """Returns a loss of value 26 with gradient 2 for a, and 3 for both elements of b."""
    a = v1.get_variable("a", initializer=10.0)
    b = v1.get_variable("b", initializer=[1.0, 1.0])
    return 2 * a + 3 * tf.reduce_sum(b)


def train(steps=1, before=None, build=problem, **options):
    """Takes steps; returns the losses, and all variables by name after them."""
    with tf.Graph().as_default(), v1.Session() as session:
        loss = build()
        slim.get_or_create_global_step()
        if before:
            before()
        options = {"global_step": None, "learning_rate": 0.1, "optimizer": "SGD", **options}
        step = slim.optimize_loss(loss, **options)
        session.run(v1.global_variables_initializer())
        losses = [session.run(step) for _ in range(steps)]
        values = {v.op.name: session.run(v) for v in v1.global_variables()}
        merged = v1.summary.merge_all()
        if merged is not None:
            merged = v1.Summary.FromString(session.run(merged))
            values["summaries"] = {value.tag: value.simple_value for value in merged.value}
        return losses, values


def test_a_step_follows_the_gradient_and_counts():
    losses, values = train(2)
    np.testing.assert_allclose(losses, [26, 23.8], rtol=1e-6)  # 26 - 0.1 * (4 + 9 + 9)
    np.testing.assert_allclose(values["b"], [0.4, 0.4], rtol=1e-5)
    assert values["global_step"] == 2
    assert values["OptimizeLoss/learning_rate"] == np.float32(0.1)


@pytest.mark.parametrize(
    "optimizer, a",
    [
        ("SGD", 9.8),
        ("Momentum", 9.8),
        ("Adam", 9.9),
        ("Adagrad", 10 - 0.1 * 2 / np.sqrt(0.1 + 4)),
        ("RMSProp", 10 - 0.1 * 2 / np.sqrt(0.9 + 0.1 * 4)),
        (v1.train.GradientDescentOptimizer, 9.8),
        (v1.train.GradientDescentOptimizer(0.5), 9.0),
        (lambda rate: v1.train.GradientDescentOptimizer(2 * rate), 9.6),
    ],
)
def test_optimizers_are_given_by_name_class_object_or_function(optimizer, a):
    _, values = train(optimizer=optimizer, summaries=[])
    np.testing.assert_allclose(values["a"], a, rtol=1e-5)


def test_every_name_makes_an_optimizer():
    assert sorted(slim.optimizers.OPTIMIZER_CLS_NAMES) == [
        "Adagrad",
        "Adam",
        "Ftrl",
        "Momentum",
        "RMSProp",
        "SGD",
    ]
    for make in slim.optimizers.OPTIMIZER_CLS_NAMES.values():
        assert isinstance(make(0.1), v1.train.Optimizer)


def test_an_optimizer_with_its_own_rate_needs_none():
    _, values = train(
        learning_rate=None, optimizer=lambda: v1.train.GradientDescentOptimizer(0.5), name="fit"
    )
    assert values["a"] == 9
    assert "fit/learning_rate" not in values


def test_the_rate_decays_with_the_step():
    _, values = train(
        3, learning_rate_decay_fn=lambda rate, step: rate / 2 ** tf.cast(step, tf.float32)
    )
    np.testing.assert_allclose(values["a"], 10 - 2 * (0.1 + 0.05 + 0.025), rtol=1e-6)
    np.testing.assert_allclose(values["summaries"]["OptimizeLoss/learning_rate_1"], 0.0125)


@pytest.mark.parametrize("key", ["a", "a:0", "variable"])
def test_gradients_are_multiplied_by_variable(key):
    with tf.Graph().as_default(), v1.Session() as session:
        loss = problem()
        a, b = v1.trainable_variables()
        factors = {a if key == "variable" else key: 10.0, "b": 0.0}
        step = slim.optimize_loss(loss, None, 0.1, "SGD", gradient_multipliers=factors)
        session.run(v1.global_variables_initializer())
        session.run(step)
        np.testing.assert_allclose(session.run(a), 8.0, rtol=1e-6)
        np.testing.assert_array_equal(session.run(b), [1, 1])


def test_gradients_are_clipped_to_a_norm():
    _, values = train(clip_gradients=1.0, summaries=slim.optimizers.OPTIMIZER_SUMMARIES)
    norm = np.sqrt(2**2 + 3**2 + 3**2)
    np.testing.assert_allclose(values["a"], 10 - 0.1 * 2 / norm, rtol=1e-6)
    tags = values["summaries"]
    np.testing.assert_allclose(tags["OptimizeLoss/global_norm/gradient_norm"], norm, rtol=1e-5)
    np.testing.assert_allclose(tags["OptimizeLoss/global_norm/clipped_gradient_norm"], 1, rtol=1e-5)
    np.testing.assert_allclose(tags["OptimizeLoss/gradient_norm/a_0"], 2 / norm, rtol=1e-5)
    assert {"OptimizeLoss/gradients/b_0", "OptimizeLoss/loss"} < set(tags)


def test_noise_is_added_on_demand():
    _, values = train(gradient_noise_scale=1.0, summaries=[])
    assert values["b"][0] != values["b"][1]


def test_update_ops_run_before_the_loss_unless_others_are_given():
    def before():
        seen = v1.get_variable("seen", initializer=0.0, trainable=False)
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign_add(seen, 1.0))

    assert train(2, before, summaries=[])[1]["seen"] == 2
    assert train(2, before, summaries=[], update_ops=[])[1]["seen"] == 0


def test_only_the_variables_given_are_trained_and_the_step_may_stand_still():
    def build():
        loss = problem()
        build.only = [v1.trainable_variables()[0]]
        return loss

    with tf.Graph().as_default(), v1.Session() as session:
        loss = build()
        step = slim.get_or_create_global_step()
        op = slim.optimize_loss(
            loss, step, 0.1, "SGD", variables=build.only, increment_global_step=False
        )
        session.run(v1.global_variables_initializer())
        session.run(op)
        values = session.run([*v1.trainable_variables(), step])
    np.testing.assert_allclose(values[0], 9.8, rtol=1e-6)
    np.testing.assert_array_equal(values[1], [1, 1])
    assert values[2] == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"optimizer": "Adm"}, "no optimizer is named 'Adm'. Close: Adam"),
        ({"optimizer": 3}, "takes a tf.compat.v1.train optimizer"),
        ({"learning_rate": None}, "the optimizer 'SGD' needs a learning_rate"),
        ({"learning_rate": -0.1}, "learning_rate=-0.1"),
        ({"learning_rate": "x"}, "learning_rate='x'"),
        ({"summaries": ["los"]}, "no summary 'los'. Close: loss"),
        ({"clip_gradients": "x"}, "clip_gradients takes a number or a function, not 'x'"),
        ({"gradient_multipliers": {"c": 1.0}}, "names 'c', which is not trained here"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(InputError, match=message):
        train(**options)


def test_outside_of_a_graph_the_way_is_told():
    with pytest.raises(InputError, match="slim.learning.create_train_op"):
        slim.optimize_loss(tf.constant(1.0), None, 0.1, "SGD")


def limits(norms, decay, std_factor, with_step):
    """Returns the norm after adaptive clipping for each norm in turn, in plain Python."""
    mean = square = 0.0
    for step, norm in enumerate(norms):
        d = min(decay, step / (step + 1)) if with_step else decay
        log = np.log(norm + 1e-8)
        mean, square = d * mean + (1 - d) * log, d * square + (1 - d) * log**2
        limit = np.exp(mean + std_factor * np.sqrt(max(square - mean**2, 1e-8)))
        yield norm if norm < limit else np.exp(mean)


@pytest.mark.parametrize("std_factor", [0.5, 2.0])
@pytest.mark.parametrize("with_step", [False, True])
def test_adaptive_clipping_follows_the_norms_and_scales_to_the_usual_one(
    run, with_step, std_factor
):
    norms = [5.0, 5.0, 1.0, 50.0]

    def clipped(x):
        step = tf.constant(0.0)
        results = []
        # One scope for all: the averages are those of one training run.
        for i in range(len(norms)):
            step = tf.constant(float(i)) if with_step else None
            clip = slim.adaptive_clipping_fn(std_factor, decay=0.9, global_step=step, name="clip")
            with (
                tf.control_dependencies(results[-1:]),
                v1.variable_scope("", reuse=v1.AUTO_REUSE, auxiliary_name_scope=False),
            ):
                ((found, _), (none, _)) = clip([(x[i], None), (None, None)])
            assert none is None
            results.append(tf.norm(found))
        return tf.stack(results)

    gradients = np.float32([[0.6, 0.8]]) * np.float32(norms)[:, None]
    found = run(clipped, gradients, weights={"clip/mean": 0.0, "clip/sq_mean": 0.0})
    np.testing.assert_allclose(found, list(limits(norms, 0.9, std_factor, with_step)), rtol=1e-4)


def test_a_static_limit_holds_in_any_case_and_slices_stay_slices():
    def clipped():
        slices = tf.IndexedSlices(tf.constant([[30.0], [40.0]]), tf.constant([0, 2]), [3, 1])
        ((found, _),) = slim.adaptive_clipping_fn(std_factor=9.0, static_max_norm=5.0)(
            [(slices, None)]
        )
        return found.values, found.indices

    values, indices = slim.Module(clipped)()
    np.testing.assert_allclose(values, [[3], [4]], rtol=1e-5)
    np.testing.assert_array_equal(indices, [0, 2])
