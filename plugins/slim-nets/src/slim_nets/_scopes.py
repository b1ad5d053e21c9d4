"""Small helpers of scopes and variants that networks share."""

import functools
from collections.abc import Callable
from typing import Any


class NoOpScope:
    """A scope that changes nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: Any) -> bool:
        return False


def wrapped_partial(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Returns a variant of a network, with some arguments fixed.

    Args:
        func: The network.
        *args: Arguments given by position.
        **kwargs: Arguments given by name, which a call may replace.

    Returns:
        The variant, with the name, `default_image_size` and `arg_scope` of the network.
    """
    return functools.update_wrapper(functools.partial(func, *args, **kwargs), func)
