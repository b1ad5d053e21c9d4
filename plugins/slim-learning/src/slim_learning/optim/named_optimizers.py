"""Optimizers by name, for the command line."""

from collections.abc import Mapping
from typing import Any

from slimcore.errors import InputError

LEARNING_RATES = {
    "sgd": 0.1,
    "momentum": 0.01,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
    "adagrad": 0.01,
    "adadelta": 1.0,
    "ftrl": 0.01,
}
"""The names, and the learning rate of each where none is given."""

# Setting -> optimizer -> argument of the Keras optimizer.
PARAMETERS = {
    "momentum": {"momentum": "momentum"},
    "adam_beta1": {"adam": "beta_1", "adamw": "beta_1"},
    "adam_beta2": {"adam": "beta_2", "adamw": "beta_2"},
    "opt_epsilon": dict.fromkeys(("adam", "adamw", "rmsprop", "adagrad", "adadelta"), "epsilon"),
    "rmsprop_decay": {"rmsprop": "rho"},
    "rmsprop_momentum": {"rmsprop": "momentum"},
    "adagrad_initial_accumulator_value": {"adagrad": "initial_accumulator_value"},
    "adadelta_rho": {"adadelta": "rho"},
    "ftrl_learning_rate_power": {"ftrl": "learning_rate_power"},
    "ftrl_initial_accumulator_value": {"ftrl": "initial_accumulator_value"},
    "ftrl_l1": {"ftrl": "l1_regularization_strength"},
    "ftrl_l2": {"ftrl": "l2_regularization_strength"},
}
"""What can be set of the optimizers; what is not set is the optimizer's own default."""

_DEFAULTS = {"momentum": {"momentum": 0.9}, "rmsprop": {"momentum": 0.9}}


def check(name: str, settings: Mapping[str, Any]) -> None:
    """Checks that each parameter that is set is one of this optimizer.

    Raises:
        InputError: One is not, and would do nothing.
    """
    for setting, of in PARAMETERS.items():
        if settings.get(setting) is not None and name not in of:
            raise InputError(
                f"--{setting.replace('_', '-')} belongs to --optimizer {' or '.join(of)}, and this "
                f"run's is {name}; leave it out"
            )


def make(name: str, learning_rate: Any, settings: Mapping[str, Any]) -> Any:
    """Returns a Keras optimizer.

    Args:
        name: One of `LEARNING_RATES`.
        learning_rate: A number, or a schedule of Keras.
        settings: Values by the names in `PARAMETERS`; None stands for the default.
    """
    from tensorflow.keras import optimizers

    kinds = {
        "sgd": optimizers.SGD,
        "momentum": optimizers.SGD,
        "rmsprop": optimizers.RMSprop,
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "adagrad": optimizers.Adagrad,
        "adadelta": optimizers.Adadelta,
        "ftrl": optimizers.Ftrl,
    }
    check(name, settings)
    given = {
        of[name]: settings[setting]
        for setting, of in PARAMETERS.items()
        if name in of and settings.get(setting) is not None
    }
    return kinds[name](learning_rate, **{**_DEFAULTS.get(name, {}), **given})
