"""`slim.Module`: variables by name, what a call leaves, and checkpoints both ways."""

import numpy as np
import pytest
import tensorflow as tf

import slimcore as slim
import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError, InputError

v1 = tf.compat.v1
GraphKeys = v1.GraphKeys


def net(x, classes=2, scope="net"):
    """A two-layer network: net/first/weights, net/first/biases and net/logits/weights."""
    with v1.variable_scope(scope):
        with v1.variable_scope(None, "first"):
            weights = slim.model_variable("weights", [3, 4], regularizer=tf.reduce_sum)
            biases = slim.model_variable("biases", [4], initializer=v1.zeros_initializer())
        hidden = tf.nn.relu(x @ weights + biases)
        with v1.variable_scope("logits"):
            logits = hidden @ slim.model_variable("weights", [4, classes])
    slim.add_to_collections(GraphKeys.LOSSES, tf.reduce_sum(logits))
    return logits, {"hidden": hidden, "logits": logits}


INPUTS = np.float32([[1, 2, 3], [4, 5, 6]])


@pytest.fixture
def graph_checkpoint(tmp_path):
    """Returns a checkpoint that a graph wrote, and the logits there."""
    with tf.Graph().as_default(), v1.Session() as session:
        logits, _ = net(tf.constant(INPUTS))
        session.run(v1.global_variables_initializer())
        path = v1.train.Saver().save(session, str(tmp_path / "graph.ckpt"))
        return path, session.run(logits)


def built(**defaults):
    model = slim.Module(net, **defaults)
    model(INPUTS)
    return model


def test_the_second_call_finds_the_variables_of_the_first():
    model = slim.Module(net)
    first, second, traced = model(INPUTS)[0], model(INPUTS)[0], tf.function(model)(INPUTS)[0]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, traced, rtol=1e-5)
    assert list(model.named_variables) == [
        "net/first/weights",
        "net/first/biases",
        "net/logits/weights",
    ]
    assert [v.name for v in model.variables] == [f"{n}:0" for n in model.named_variables]


def test_a_call_leaves_its_losses_and_end_points():
    model = built()
    logits, end_points = model(INPUTS)
    np.testing.assert_array_equal(model.losses, [tf.reduce_sum(logits)])
    weights = model.named_variables["net/first/weights"]
    np.testing.assert_allclose(model.regularization_losses, [tf.reduce_sum(weights)])
    assert model.end_points["hidden"] is end_points["hidden"]
    assert slim.Module(lambda x: x).end_points == {}


@pytest.mark.parametrize(
    "options, found",
    [
        ({}, ["net/first/weights", "net/first/biases", "net/logits/weights"]),
        ({"scope": "net/f"}, ["net/first/weights", "net/first/biases"]),
        ({"suffix": "weights"}, ["net/first/weights", "net/logits/weights"]),
        ({"include": ["net/first"], "suffix": "weights"}, ["net/first/weights"]),
        ({"exclude": ["net/first"]}, ["net/logits/weights"]),
        ({"collection": GraphKeys.LOCAL_VARIABLES}, []),
    ],
)
def test_variables_are_chosen_by_scope_and_suffix(options, found):
    assert [v.name.removesuffix(":0") for v in built().get_variables(**options)] == found


def test_a_graph_checkpoint_loads_into_a_module(graph_checkpoint):
    path, logits = graph_checkpoint
    model = built()
    plan = model.restore(path)
    assert [entry.status for entry in plan.entries] == ["matched"] * 3
    np.testing.assert_allclose(model(INPUTS)[0], logits, rtol=1e-5)


def test_a_module_checkpoint_loads_into_a_graph(tmp_path):
    model = built()
    path, expected = model.save(str(tmp_path / "model.ckpt")), model(INPUTS)[0]
    with tf.Graph().as_default(), v1.Session() as session:
        logits, _ = net(tf.constant(INPUTS))
        v1.train.Saver().restore(session, path)
        np.testing.assert_allclose(session.run(logits), expected, rtol=1e-5)


def test_only_a_part_is_restored_on_demand(graph_checkpoint):
    path, _ = graph_checkpoint
    model = built(classes=5)
    with pytest.raises(
        CheckpointError, match=r"\[4, 2\] there and \[4, 5\] here: exclude net/logits"
    ):
        model.restore(path)
    before = model.named_variables["net/logits/weights"].numpy()
    plan = model.restore(path, exclude=["net/logits"])
    assert [entry.name for entry in plan.of("excluded")] == ["net/logits/weights"]
    np.testing.assert_array_equal(model.named_variables["net/logits/weights"], before)
    first = checkpoints.load(path).get_tensor("net/first/weights")
    np.testing.assert_array_equal(model.named_variables["net/first/weights"], first)
    assert len(built(classes=5).restore(path, include=["net/first"]).of("matched")) == 2


def test_variables_are_renamed_on_demand(graph_checkpoint):
    path, logits = graph_checkpoint
    model = built(scope="tower/net")
    with pytest.raises(
        CheckpointError, match=r"tower/net/first/weights .*close there: net/first/weights"
    ):
        model.restore(path)
    plan = model.restore(path, rename={"tower/net": "net"})
    assert len(plan.of("renamed")) == 3
    np.testing.assert_allclose(model(INPUTS)[0], logits, rtol=1e-5)


def test_missing_variables_stay_on_demand(graph_checkpoint):
    path, _ = graph_checkpoint

    def more(x):
        slim.model_variable("extra", [1], initializer=v1.ones_initializer())
        return net(x)

    model = slim.Module(more)
    model(INPUTS)
    with pytest.raises(CheckpointError, match="extra is not in it"):
        model.restore(path)
    assert [e.name for e in model.restore(path, ignore_missing=True).of("missing")] == ["extra"]
    np.testing.assert_array_equal(model.named_variables["extra"], [1])


def test_a_restore_that_fails_changes_nothing(graph_checkpoint):
    path, _ = graph_checkpoint
    model = built(classes=5)
    before = [v.numpy() for v in model.variables]
    with pytest.raises(CheckpointError):
        model.restore(path)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_local_variables_are_not_saved(tmp_path):
    def count(x):
        slim.local_variable(0, name="seen").assign_add(1)
        return net(x)

    model = slim.Module(count)
    model(INPUTS)
    reader = checkpoints.load(model.save(str(tmp_path / "m")))
    assert "seen" not in reader.get_variable_to_shape_map()


def test_a_module_without_variables_says_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match="before its first call. Call it once"):
        slim.Module(net).save(str(tmp_path / "m"))
    with tf.Graph().as_default():
        model = slim.Module(net)
        model(tf.constant(INPUTS))
        with pytest.raises(CheckpointError, match=r"graph keeps its variables.*Saver"):
            model.save(str(tmp_path / "m"))
        with pytest.raises(CheckpointError, match=r"graph keeps its variables.*assign_from_check"):
            model.restore(str(tmp_path / "m"))


def test_a_graph_keeps_the_variables_and_the_second_call_reuses_them():
    with tf.Graph().as_default():
        model = slim.Module(net)
        model(tf.constant(INPUTS))
        model(tf.constant(INPUTS))
        assert len(v1.global_variables()) == 3


def test_default_scope_names_begin_afresh_in_each_call_and_two_modules_are_apart():
    def two_firsts(x):
        for _ in range(2):
            with v1.variable_scope(None, "first"):
                x = x @ slim.variable("w", [3, 3])
        return x

    one, other = slim.Module(two_firsts), slim.Module(two_firsts)
    for model in (one, one, other):
        model(INPUTS)
    assert list(one.named_variables) == ["first/w", "first_1/w"]
    assert one.variables[0] is not other.variables[0]


def test_reuse_of_what_does_not_exist_is_an_error():
    def wrong():
        with v1.variable_scope("s", reuse=True):
            slim.variable("w", [1])

    with pytest.raises(InputError, match="variable s/w does not exist, and reuse=True"):
        tf.function(slim.Module(wrong))()


def test_a_saved_model_has_the_variables(tmp_path):
    model = built()
    model.serve = tf.function(
        lambda x: model(x)[0], input_signature=[tf.TensorSpec([None, 3], tf.float32)]
    )
    tf.saved_model.save(model, str(tmp_path / "saved"), signatures={"serve": model.serve})
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve(INPUTS), model(INPUTS)[0], rtol=1e-5)


@pytest.mark.parametrize("traced", [True, False])
def test_frozen_values_are_those_of_the_trace(traced):
    """The kernel is a constant of the graph, the matrix is captured: both keep their values."""

    def body(x):
        kernel = slim.model_variable("kernel", [1, 1, 3, 4], regularizer=tf.reduce_sum)
        hidden = tf.nn.conv2d(x[:, None, None], kernel, 1, "SAME")
        return tf.squeeze(hidden, [1, 2]) @ slim.model_variable("weights", [4, 2])

    model = slim.Module(body)
    before = model(INPUTS).numpy()
    frozen = tf.function(model.frozen) if traced else model.frozen
    np.testing.assert_allclose(frozen(INPUTS), before, rtol=1e-5)
    kernel, weights = (v.numpy() for v in model.variables)
    for variable in model.variables:
        variable.assign_add(variable)  # in place, as an optimizer does
    after = INPUTS @ (2 * kernel[0, 0]) @ (2 * weights)
    np.testing.assert_allclose(model(INPUTS), after, rtol=1e-5)
    np.testing.assert_allclose(frozen(INPUTS), before if traced else after, rtol=1e-5)
    if traced:
        graph = frozen.get_concrete_function(tf.TensorSpec([None, 3])).graph
        assert tf.resource not in [given.dtype for given in graph.inputs]
        constants = [op for op in graph.get_operations() if op.type == "Const"]
        assert (1, 1, 3, 4) in [constant.outputs[0].shape for constant in constants]


def test_a_saved_model_of_a_frozen_function_has_no_variables(tmp_path):
    model, saved = built(), tf.Module()
    saved.serve = tf.function(
        lambda x: model.frozen(x)[0], input_signature=[tf.TensorSpec([None, 3], tf.float32)]
    )
    tf.saved_model.save(saved, str(tmp_path / "saved"))
    assert tf.train.list_variables(str(tmp_path / "saved/variables/variables")) == [
        ("_CHECKPOINTABLE_OBJECT_GRAPH", [])
    ]
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve(INPUTS), model(INPUTS)[0], rtol=1e-5)


def test_what_cannot_be_frozen_is_named():
    with pytest.raises(InputError, match="net/first/weights has no value to freeze yet; call"):
        slim.Module(net).frozen(INPUTS)
    with tf.Graph().as_default(), pytest.raises(InputError, match="cannot freeze net: the graph"):
        slim.Module(net, name="net").frozen(INPUTS)


@pytest.fixture(scope="module")
def strategy():
    """Returns two replicas on one processor."""
    return tf.distribute.MirroredStrategy(
        ["/CPU:0", "/CPU:1"], tf.distribute.ReductionToOneDevice()
    )


READ = tf.VariableSynchronization.ON_READ


@pytest.mark.parametrize(
    "aggregation, saved, inside",
    [("SUM", 12, 6), ("MEAN", 6, 12), ("ONLY_FIRST_REPLICA", 1, 12)],
)
def test_under_a_strategy_the_value_that_replicas_agree_on_is_saved(
    strategy, tmp_path, aggregation, saved, inside
):
    """The replicas hold 1 and 11. What is restored is read back, whatever each then holds."""

    def body():
        seen = slim.variable(
            "seen",
            [],
            initializer=v1.zeros_initializer(),
            trainable=False,
            synchronization=READ,
            aggregation=tf.VariableAggregation[aggregation],
        )
        weights = slim.variable("w", [2], initializer=v1.ones_initializer())
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seen.assign(tf.cast(replica, tf.float32) * 10 + 1)
        return tf.reduce_sum(weights)

    with strategy.scope():
        model = slim.Module(body)
        strategy.run(tf.function(model))
    path = model.save(str(tmp_path / "m"))
    reader = checkpoints.load(path)
    assert reader.get_tensor("seen") == saved
    np.testing.assert_array_equal(reader.get_tensor("w"), [1, 1])
    checkpoints.save(path, {"seen": np.float32(12), "w": np.float32([3, 4])})
    model.restore(path)
    held = strategy.experimental_local_results(model.named_variables["seen"])
    assert [float(v) for v in held] == [inside, inside]
    for copy in strategy.experimental_local_results(model.named_variables["w"]):
        np.testing.assert_array_equal(copy, [3, 4])


def test_under_a_strategy_a_frozen_module_computes_what_the_module_does(strategy):
    with strategy.scope():
        model = built()
        found = strategy.run(tf.function(lambda: model.frozen(INPUTS)[0]))
    for replica in strategy.experimental_local_results(found):
        np.testing.assert_allclose(replica, model(INPUTS)[0], rtol=1e-5)


def test_a_variable_that_replicas_do_not_agree_on_is_named(strategy, tmp_path):
    with strategy.scope():
        variable = tf.Variable(0.0, trainable=False, synchronization=READ)
    with pytest.raises(CheckpointError, match=r"cannot save seen: .*needs an aggregation"):
        checkpoints.save(str(tmp_path / "m"), {"seen": variable})
