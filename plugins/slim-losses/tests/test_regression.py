import numpy as np
import pytest

import slimcore as slim
from slimcore.errors import InputError

PREDICTIONS = np.array([[1.0, 4.0], [0.0, -2.0]])


def test_an_error_that_all_elements_share_costs_no_pairwise_error():
    shifted = PREDICTIONS + np.array([[7.0], [-3.0]])
    np.testing.assert_allclose(
        slim.losses.mean_pairwise_squared_error(PREDICTIONS, shifted), 0, atol=1e-12
    )


def test_cosine_distance_takes_the_axis_by_its_former_name_too():
    assert slim.losses.cosine_distance(PREDICTIONS, PREDICTIONS, dim=1) == (
        slim.losses.cosine_distance(PREDICTIONS, PREDICTIONS, axis=-1)
    )
    with pytest.raises(InputError, match="axis and dim, which mean the same"):
        slim.losses.cosine_distance(PREDICTIONS, PREDICTIONS, axis=1, dim=1)
    with pytest.raises(InputError, match="cosine_distance .*needs axis"):
        slim.losses.cosine_distance(PREDICTIONS, PREDICTIONS)


@pytest.mark.parametrize("delta", [0, -1.0])
def test_a_huber_delta_must_be_greater_than_zero(delta):
    with pytest.raises(InputError, match=f"huber_loss .*delta greater than 0, and got {delta}"):
        slim.losses.huber_loss(PREDICTIONS, PREDICTIONS, delta=delta)


def test_huber_loss_grows_linearly_from_delta_on():
    values = [float(slim.losses.huber_loss([d], [0.0], delta=2.0)) for d in (1.0, 2.0, 3.0, 4.0)]
    assert values == [0.5, 2.0, 4.0, 6.0]


def test_weights_are_for_the_first_dimensions_of_the_losses():
    losses = np.ones([2, 3, 2]) * np.arange(3)[:, None]
    value = slim.losses.compute_weighted_loss(losses, weights=np.array([[1.0, 0.0, 4.0]]))
    np.testing.assert_allclose(value, (0 * 1 + 2 * 4) / 2)
