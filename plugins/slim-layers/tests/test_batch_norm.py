"""Batch normalization against its definition in NumPy, and how its averages move."""

import numpy as np
import pytest
import tensorflow as tf
from slim_layers._moving import moving_with

import slimcore as slim
from slimcore.errors import InputError

v1 = tf.compat.v1
RNG = np.random.default_rng(0)
BATCH = (RNG.standard_normal([8, 3, 3, 4]) * [1, 2, 0.5, 3] + [0, 1, -1, 5]).astype("f")
EPSILON = 0.001


def normalized(x, mean, variance):
    return (x - mean) / np.sqrt(variance + EPSILON)


def statistics(x):
    """Returns mean, variance, and the variance that the fused op gives to the average."""
    flat = x.reshape(-1, x.shape[-1])
    return flat.mean(0), flat.var(0), flat.var(0, ddof=1)


class GraphModel:
    """One batch_norm in a graph, fed with arrays."""

    def __init__(self, run_updates=True, **options):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.inputs = v1.placeholder(tf.float32, [None, *BATCH.shape[1:]])
            self.training = v1.placeholder_with_default(True, [])
            if options.get("is_training") == "tensor":
                options["is_training"] = self.training
            self.outputs = slim.batch_norm(self.inputs, **options)
            updates = options.get("updates_collections", v1.GraphKeys.UPDATE_OPS)
            self.updates = v1.get_collection(updates) if updates and run_updates else []
            self.variables = {v.op.name: v for v in v1.global_variables()}
            self.session = v1.Session()
            self.session.run(v1.global_variables_initializer())

    def __call__(self, batch, training=True):
        feed = {self.inputs: batch, self.training: training}
        # The outputs first: nothing orders them and the updates in one run.
        outputs = self.session.run(self.outputs, feed)
        self.session.run(self.updates, feed)
        return outputs

    def get(self, name):
        return self.session.run(self.variables[f"BatchNorm/{name}"])


class ModuleModel:
    """The same in a Module, called eagerly or in a tf.function."""

    def __init__(self, wrap=lambda call: call, **options):
        as_tensor = options.get("is_training") == "tensor"

        def net(batch, training):
            if as_tensor:
                options["is_training"] = training
            return slim.batch_norm(batch, **options)

        self.module = slim.Module(net)
        self.call = wrap(self.module)

    def __call__(self, batch, training=True):
        return self.call(tf.constant(batch), tf.constant(training)).numpy()

    def get(self, name):
        return self.module.named_variables[f"BatchNorm/{name}"].numpy()


WORLDS = {
    "graph": GraphModel,
    "module": ModuleModel,
    "function": lambda **options: ModuleModel(tf.function, **options),
}


@pytest.fixture(params=WORLDS)
def model(request):
    """Returns a maker of one batch_norm, in each world."""
    return WORLDS[request.param]


@pytest.mark.parametrize("fused", [None, False])
def test_training_normalizes_by_the_batch_and_moves_the_averages(model, fused):
    bn = model(decay=0.9, fused=fused)
    mean, variance, population = statistics(BATCH)
    np.testing.assert_allclose(bn(BATCH), normalized(BATCH, mean, variance), rtol=1e-4, atol=1e-4)
    towards = population if fused is None else variance
    np.testing.assert_allclose(bn.get("moving_mean"), 0.1 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bn.get("moving_variance"), 0.9 + 0.1 * towards, rtol=1e-4)
    bn(BATCH)
    np.testing.assert_allclose(bn.get("moving_mean"), 0.19 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bn.get("moving_variance"), 0.81 + 0.19 * towards, rtol=1e-4)


@pytest.mark.parametrize("fused", [None, False])
def test_evaluation_normalizes_by_the_averages_which_stay(model, fused):
    bn = model(is_training=False, fused=fused)
    np.testing.assert_allclose(bn(BATCH), normalized(BATCH, 0, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(bn.get("moving_mean"), np.zeros(4))
    np.testing.assert_array_equal(bn.get("moving_variance"), np.ones(4))


@pytest.mark.parametrize(
    "options", [{}, {"fused": False}, {"zero_debias_moving_mean": True}], ids=str
)
def test_a_tensor_switches_between_training_and_evaluation_at_run_time(model, options):
    bn = model(is_training="tensor", decay=0.5, **options)
    mean, variance, _ = statistics(BATCH)
    first = bn(BATCH, training=False)
    np.testing.assert_allclose(first, normalized(BATCH, 0, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(bn.get("moving_mean"), np.zeros(4))
    trained = bn(BATCH, training=True)
    np.testing.assert_allclose(trained, normalized(BATCH, mean, variance), rtol=1e-4, atol=1e-4)
    part = 1.0 if options.get("zero_debias_moving_mean") else 0.5
    np.testing.assert_allclose(bn.get("moving_mean"), part * mean, rtol=1e-4, atol=1e-6)
    moved = bn.get("moving_mean"), bn.get("moving_variance")
    last = bn(BATCH, training=False)
    np.testing.assert_allclose(last, normalized(BATCH, *moved), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(bn.get("moving_mean"), moved[0])


def test_without_updates_collections_a_graph_moves_the_averages_with_the_outputs():
    bn = GraphModel(updates_collections=None, decay=0.9)
    assert not bn.graph.get_collection(v1.GraphKeys.UPDATE_OPS)
    bn(BATCH)
    np.testing.assert_allclose(bn.get("moving_mean"), 0.1 * statistics(BATCH)[0], rtol=1e-4)


def test_a_graph_moves_nothing_unless_the_updates_run():
    bn = GraphModel(run_updates=False, decay=0.9)
    bn(BATCH)
    np.testing.assert_array_equal(bn.get("moving_mean"), np.zeros(4))


def test_updates_go_to_the_collections_asked_for():
    bn = GraphModel(updates_collections="mine")
    assert len(bn.updates) == 2
    assert not bn.graph.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert all(update.name.startswith("BatchNorm/") for update in bn.updates)


def test_a_layer_that_is_not_trained_moves_nothing(model):
    bn = model(trainable=False)
    bn(BATCH)
    np.testing.assert_array_equal(bn.get("moving_mean"), np.zeros(4))


@pytest.mark.parametrize("options", [{}, {"fused": False}, {"zero_debias_moving_mean": True}])
def test_a_decay_for_all_layers_wins_over_their_own(model, options):
    with moving_with(0.0):
        bn = model(decay=0.9, **options)
        bn(BATCH)
        bn(2 * BATCH)
    mean, variance, population = statistics(2 * BATCH)
    np.testing.assert_allclose(bn.get("moving_mean"), mean, rtol=1e-4)
    towards = variance if "fused" in options else population
    np.testing.assert_allclose(bn.get("moving_variance"), towards, rtol=1e-4)


def test_two_uses_in_one_step_both_move_the_averages():
    def twice(batch):
        a = slim.batch_norm(batch, scope="bn", decay=0.9)
        return a, slim.batch_norm(batch, scope="bn", decay=0.9, reuse=True)

    mean = statistics(BATCH)[0]
    model = slim.Module(twice)
    model(BATCH)
    np.testing.assert_allclose(model.named_variables["bn/moving_mean"], 0.19 * mean, rtol=1e-4)
    with tf.Graph().as_default(), v1.Session() as session:
        twice(tf.constant(BATCH))
        session.run(v1.global_variables_initializer())
        session.run(v1.get_collection(v1.GraphKeys.UPDATE_OPS))
        moved = session.run(slim.get_variables(suffix="moving_mean"))[0]
        # Nothing orders the two in a graph, and none is lost.
        assert np.all(np.abs(moved) >= 0.18 * np.abs(mean))


def test_beta_and_gamma_shift_and_scale(run):
    beta, gamma = np.array([1, 2, 3, 4], "f"), np.array([0.5, 1, 2, 3], "f")
    outputs = run(
        lambda x: slim.batch_norm(x, scale=True),
        BATCH,
        weights={"BatchNorm/beta": beta, "BatchNorm/gamma": gamma},
    )
    expected = normalized(BATCH, *statistics(BATCH)[:2]) * gamma + beta
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fused", [None, False])
def test_channels_first_is_the_same_with_axes_moved(run, fused):
    outputs = run(
        lambda x: slim.batch_norm(x, data_format="NCHW", fused=fused), np.moveaxis(BATCH, -1, 1)
    )
    expected = normalized(BATCH, *statistics(BATCH)[:2])
    np.testing.assert_allclose(np.moveaxis(outputs, 1, -1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(72, 4), (8, 9, 4), (8, 3, 1, 3, 4)])
def test_any_rank_is_normalized_over_all_axes_but_the_channels(run, shape):
    outputs = run(slim.batch_norm, BATCH.reshape(shape))
    expected = normalized(BATCH, *statistics(BATCH)[:2]).reshape(shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_parameters_have_initializers_and_regularizers_of_their_own():
    def net(x):
        return slim.batch_norm(
            x,
            scale=True,
            is_training=False,
            param_initializers={
                "gamma": v1.constant_initializer(2.0),
                "moving_mean": v1.constant_initializer(1.0),
            },
            param_regularizers={"gamma": slim.l2_regularizer(1.0)},
        )

    model = slim.Module(net)
    expected = 2 * normalized(BATCH, 1, 1)
    np.testing.assert_allclose(model(BATCH), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.regularization_losses, [4 * 2.0**2 / 2])


def test_zero_debiasing_frees_the_mean_of_its_first_value(model):
    bn = model(zero_debias_moving_mean=True, decay=0.9)
    mean = statistics(BATCH)[0]
    bn(BATCH)
    np.testing.assert_allclose(bn.get("moving_mean"), mean, rtol=1e-4)
    bn(2 * BATCH)
    # The means so far, weighted 0.9 to 1.
    np.testing.assert_allclose(bn.get("moving_mean"), (0.9 + 2) / 1.9 * mean, rtol=1e-4)
    assert bn.get("BatchNorm/moving_mean/local_step") == 2


def test_examples_are_weighted_in_the_statistics(model):
    weights = np.array([1, 2, 0, 0.5, 1, 0, 3, 1], "f")
    bn = model(batch_weights=weights, decay=0.5)
    share = np.repeat(weights, 9) / (9 * weights.sum())
    flat = BATCH.reshape(-1, 4)
    mean = share @ flat
    variance = share @ (flat - mean) ** 2
    np.testing.assert_allclose(bn(BATCH), normalized(BATCH, mean, variance), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(bn.get("moving_mean"), 0.5 * mean, rtol=1e-4, atol=1e-6)


def test_an_adjustment_changes_the_normalized_values_in_training_only(model):
    def adjustment(shape):
        return tf.fill([1, 1, 1, shape[3]], 2.0), tf.fill([1, 1, 1, shape[3]], 1.0)

    bn = model(adjustment=adjustment, is_training="tensor")
    evaluated = bn(BATCH, training=False)
    np.testing.assert_allclose(evaluated, normalized(BATCH, 0, 1), rtol=1e-4, atol=1e-4)
    expected = 2 * normalized(BATCH, *statistics(BATCH)[:2]) + 1
    np.testing.assert_allclose(bn(BATCH), expected, rtol=1e-4, atol=1e-4)


def test_renorm_corrects_the_batch_towards_moving_statistics(model):
    clipping = {"rmin": 0.7, "rmax": 1.5, "dmax": 0.5}
    bn = model(renorm=True, renorm_clipping=clipping, renorm_decay=0.8, decay=0.9)
    mean, variance, _ = statistics(BATCH)
    deviation = np.sqrt(variance + EPSILON)
    renorm_mean, renorm_deviation, moving_deviation = np.zeros(4), np.ones(4), np.ones(4)
    for _ in range(3):
        r = np.clip(deviation / renorm_deviation, 0.7, 1.5)
        d = np.clip((mean - renorm_mean) / renorm_deviation, -0.5, 0.5)
        expected = normalized(BATCH, mean, variance) * r + d
        np.testing.assert_allclose(bn(BATCH), expected, rtol=1e-3, atol=1e-4)
        renorm_mean = 0.8 * renorm_mean + 0.2 * mean
        renorm_deviation = 0.8 * renorm_deviation + 0.2 * deviation
        moving_deviation = 0.9 * moving_deviation + 0.1 * deviation
        np.testing.assert_allclose(bn.get("renorm_mean"), renorm_mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(bn.get("renorm_stddev"), renorm_deviation, rtol=1e-4)
        found = bn.get("moving_variance")
        np.testing.assert_allclose(found, moving_deviation**2 - EPSILON, rtol=1e-4)


def test_renorm_is_plain_in_evaluation(model):
    bn = model(renorm=True, is_training=False)
    np.testing.assert_allclose(bn(BATCH), normalized(BATCH, 0, 1), rtol=1e-4, atol=1e-4)


def test_gradients_go_through_the_statistics(run):
    probe = RNG.standard_normal(BATCH.shape).astype("f")

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.reduce_sum(slim.batch_norm(x) * probe)
        return tape.gradient(outputs, x)

    mean, variance, _ = statistics(BATCH)
    y, s = normalized(BATCH, mean, variance), np.sqrt(variance + EPSILON)
    expected = (probe - probe.mean((0, 1, 2)) - y * (probe * y).mean((0, 1, 2))) / s
    np.testing.assert_allclose(run(gradient, BATCH), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_inputs_of_low_precision_have_statistics_in_float32(dtype):
    model = slim.Module(lambda x: slim.batch_norm(tf.cast(x, dtype)))
    outputs = model(BATCH)
    assert outputs.dtype == dtype
    assert {v.dtype for v in model.variables} == {tf.float32}
    expected = normalized(BATCH, *statistics(BATCH)[:2])
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.05)


def net(images, is_training):
    norm = {"is_training": is_training, "decay": 0.9}
    with slim.arg_scope([slim.conv2d], normalizer_fn=slim.batch_norm, normalizer_params=norm):
        images = slim.conv2d(images, 8, 3, 2)
        images = slim.conv2d(images, 8, 3)
    return slim.fully_connected(slim.flatten(images), 2, activation_fn=None)


def bars(count, seed):
    """Images [count, 8, 8, 1] of a bright row or a bright column in noise, and which it is."""
    rng = np.random.default_rng(seed)
    labels, at = rng.integers(0, 2, count), rng.integers(0, 8, count)
    images = rng.standard_normal([count, 8, 8, 1]).astype("f") * 3 + 7
    images[np.flatnonzero(labels == 0), at[labels == 0]] += 6
    images[np.flatnonzero(labels == 1), :, at[labels == 1]] += 6
    return images, labels


def accuracy(logits, labels):
    return np.mean(np.argmax(logits, 1) == labels)


STEPS, SIZE = 200, 32
IMAGES, LABELS = bars(512, 0)


def batches():
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        at = rng.integers(0, len(LABELS), SIZE)
        yield IMAGES[at], LABELS[at]


def check_learned(in_training, in_evaluation):
    assert in_training > 0.95
    assert abs(in_training - in_evaluation) < 0.03


def test_200_steps_in_a_graph_evaluate_as_well_as_they_train():
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(0)
        images = v1.placeholder(tf.float32, [None, 8, 8, 1])
        labels = v1.placeholder(tf.int64, [None])
        with v1.variable_scope("model"):
            trained = net(images, True)
        with v1.variable_scope("model", reuse=True):
            evaluated = net(images, False)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, trained))
        with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            step = v1.train.GradientDescentOptimizer(0.05).minimize(loss)
        session.run(v1.global_variables_initializer())
        for x, y in batches():
            session.run(step, {images: x, labels: y})
        results = session.run((trained, evaluated), {images: IMAGES})
    check_learned(*(accuracy(logits, LABELS) for logits in results))


def test_200_steps_of_a_module_evaluate_as_well_as_they_train():
    tf.random.set_seed(0)
    model, optimizer = slim.Module(net), tf.keras.optimizers.SGD(0.05)
    model(IMAGES[:SIZE], False)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            logits = model(x, True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for x, y in batches():
        step(x, y)
    evaluated = accuracy(model(IMAGES, False), LABELS)
    check_learned(accuracy(model(IMAGES, True), LABELS), evaluated)


@pytest.mark.parametrize("zero_debias_moving_mean", [False, True])
def test_averages_of_a_frozen_module_stay_and_one_in_training_is_refused(zero_debias_moving_mean):
    def body(x, is_training):
        return slim.batch_norm(
            x, is_training=is_training, zero_debias_moving_mean=zero_debias_moving_mean
        )

    model = slim.Module(body)
    model(BATCH, is_training=True)
    frozen = tf.function(model.frozen)
    expected = model(BATCH, is_training=False)
    np.testing.assert_allclose(frozen(BATCH, is_training=False), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="batch_norm.*moving_mean is a constant here.*=False"):
        frozen(BATCH, is_training=True)
