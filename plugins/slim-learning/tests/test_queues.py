"""Threads that fill queues for the length of a block."""

import threading

import pytest
import tensorflow as tf

import slimcore as slim

v1 = tf.compat.v1


@pytest.fixture
def session():
    with tf.Graph().as_default(), v1.Session() as session:
        yield session


def batch():
    return v1.train.batch([tf.constant(1)], 2)


def test_queues_are_filled_inside_the_block_and_the_threads_end_with_it(session):
    values, before = batch(), threading.active_count()
    with slim.queues.QueueRunners(session):
        assert session.run(values).tolist() == [1, 1]
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_blocks_for_one_session_follow_each_other_and_do_not_nest(session):
    batch()
    for _ in range(2):
        with (
            pytest.raises(slim.queues.NestedQueueRunnerError, match="use the outer block"),
            slim.queues.QueueRunners(session),
            slim.queues.QueueRunners(session),
        ):
            pass


def test_an_error_in_the_block_is_raised_as_it_is(session):
    batch()
    with pytest.raises(KeyError, match="mine"), slim.queues.QueueRunners(session):
        raise KeyError("mine")


def test_an_error_in_a_thread_is_raised_at_the_end_of_the_block(session):
    torn = tf.io.decode_raw(tf.constant("abc"), tf.int32)  # 3 bytes are no number of int32
    v1.train.batch([torn], 1, shapes=[[1]])
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="size of each element|multiple of"),
        slim.queues.QueueRunners(session),
    ):
        threading.Event().wait(0.3)
