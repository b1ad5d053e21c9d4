import pytest
import tensorflow as tf

import slimcore as slim
from slimcore.errors import InputError, NoModuleError

v1 = tf.compat.v1


def doubled(variable):
    return 2.0 * tf.reduce_sum(variable)


def model(inputs):
    weights = slim.model_variable("weights", [2], initializer=tf.ones, regularizer=doubled)
    slim.losses.mean_squared_error(inputs, weights)
    return inputs


def test_a_module_gathers_its_losses_and_penalties():
    module = slim.Module(model)
    module(tf.constant([3.0, 1.0]))
    assert [float(x) for x in module.losses] == [2.0]
    assert [float(x) for x in module.regularization_losses] == [4.0]


def test_the_total_of_a_step_is_the_sum_of_losses_and_penalties():
    module = slim.Module(model)

    @tf.function
    def step(inputs):
        with slim.collecting():
            module(inputs)
            slim.losses.add_loss(tf.constant(0.5))
            return slim.losses.get_total_loss(), slim.losses.get_total_loss(False)

    for _ in range(2):  # nothing is left over from the step before
        total, without = step(tf.constant([3.0, 1.0]))
        assert (float(total), float(without)) == (6.5, 2.5)


def test_a_variable_used_twice_is_penalized_once():
    module = slim.Module(model)
    with slim.collecting():
        module(tf.zeros([2]))
        module(tf.zeros([2]))
        assert len(slim.losses.get_losses()) == 2
        assert float(slim.losses.get_regularization_loss()) == 4.0


def test_a_graph_gathers_losses_and_penalties():
    with tf.Graph().as_default(), v1.Session() as session:
        model(tf.constant([3.0, 1.0]))
        slim.losses.add_loss(tf.constant(0.5))
        values = [
            slim.losses.get_total_loss(),
            slim.losses.get_total_loss(add_regularization_losses=False, name="plain"),
            slim.losses.get_regularization_loss(),
        ]
        assert [v.op.name for v in values] == ["total_loss", "plain", "total_regularization_loss"]
        session.run(v1.global_variables_initializer())
        assert session.run(values) == [6.5, 2.5, 4.0]


@pytest.mark.parametrize("world", ["graph", "eager"])
def test_losses_are_found_by_their_scope(world):
    with tf.Graph().as_default() if world == "graph" else slim.collecting():
        first = slim.losses.log_loss(tf.ones([1]), tf.ones([1]), scope="near")
        with v1.variable_scope("tower"):
            second = slim.losses.log_loss(tf.ones([1]), tf.ones([1]))
            third = tf.constant(1.0)
            slim.losses.add_loss(third)

        def found(scope=None):
            return [id(x) for x in slim.losses.get_losses(scope)]

        assert found() == [id(first), id(second), id(third)]
        assert found("near") == [id(first)]
        assert found("tower") == [id(second), id(third)]
        assert found("nowhere") == []


@pytest.mark.parametrize("world", ["graph", "eager"])
def test_add_loss_takes_another_collection_or_none(world):
    with tf.Graph().as_default() if world == "graph" else slim.collecting():
        slim.losses.add_loss(tf.constant(1.0), None)
        slim.losses.add_loss(tf.constant(2.0), "others")
        assert slim.losses.get_losses() == []
        assert len(slim.losses.get_losses(loss_collection="others")) == 1


def test_arg_scope_sets_where_add_loss_adds():
    with slim.collecting(), slim.arg_scope([slim.losses.add_loss], loss_collection="others"):
        slim.losses.add_loss(tf.constant(1.0))
        assert len(slim.losses.get_losses(loss_collection="others")) == 1


@pytest.mark.parametrize("world", ["graph", "eager"])
def test_no_loss_at_all_is_an_error_and_no_penalty_is_zero(world):
    with tf.Graph().as_default() if world == "graph" else slim.collecting():
        with pytest.raises(InputError, match="get_total_loss found no loss .*add_loss"):
            slim.losses.get_total_loss()
        zero = slim.losses.get_regularization_loss()
        assert slim.losses.get_regularization_losses() == []
        assert tf.get_static_value(zero) == 0


def test_losses_of_several_types_add_up():
    with slim.collecting():
        slim.losses.add_loss(tf.constant(1.0, tf.bfloat16))
        slim.losses.add_loss(tf.constant(2.0))
        total = slim.losses.get_total_loss()
        assert (float(total), total.dtype) == (3.0, tf.float32)
        slim.losses.add_loss(tf.constant(4.0, tf.float64))
        total = slim.losses.get_total_loss()
        assert (float(total), total.dtype) == (7.0, tf.float64)


def test_a_loss_outside_of_every_block_is_returned_and_gathered_nowhere():
    assert float(slim.losses.mean_squared_error(tf.ones([2]), tf.zeros([2]))) == 1.0
    with pytest.raises(NoModuleError, match="slim.collecting"):
        slim.losses.get_total_loss()
