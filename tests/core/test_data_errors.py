"""Errors of datasets are explained by whoever made the dataset."""

import gc
import weakref

import pytest
import tensorflow as tf

from slimcore.data_errors import BAD_DATA, explain_by, explained
from slimcore.errors import DataError


def broken():
    """A dataset of one element that cannot be read."""
    return tf.data.Dataset.from_tensors("x").map(lambda text: tf.io.parse_tensor(text, tf.int32))


def first(dataset):
    try:
        return next(iter(dataset))
    except BAD_DATA as error:
        raise explained(dataset, error) from error


def test_an_error_of_a_dataset_is_explained_by_who_made_it():
    dataset = broken()
    explain_by(dataset, lambda error: DataError("file a, record 3"))
    with pytest.raises(DataError, match="file a, record 3") as caught:
        first(dataset)
    assert isinstance(caught.value.__cause__, tf.errors.InvalidArgumentError)


@pytest.mark.parametrize("dataset", [broken(), [1, 2], {}, None], ids=repr)
def test_an_error_that_nobody_can_explain_stays_what_it_is(dataset):
    error = tf.errors.DataLossError(None, None, "torn")
    assert explained(dataset, error) is error


def test_a_dataset_made_from_another_may_pass_the_question_on():
    dataset = broken()
    explain_by(dataset, lambda error: DataError("file a"))
    mapped = dataset.map(lambda x: x)
    error = tf.errors.DataLossError(None, None, "torn")
    assert explained(mapped, error) is error
    explain_by(mapped, lambda error: explained(dataset, error))
    assert str(explained(mapped, error)) == "file a"


def test_an_explanation_lives_as_long_as_its_dataset():
    class Explanation:
        def __call__(self, error):
            return error

    dataset, explanation = broken(), Explanation()
    alive = weakref.ref(explanation)
    explain_by(dataset, explanation)
    del explanation
    gc.collect()
    assert alive() is not None
    del dataset
    gc.collect()
    assert alive() is None
