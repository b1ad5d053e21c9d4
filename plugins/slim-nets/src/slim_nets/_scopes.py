"""Small helpers of scopes and variants that networks share."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from slim_nets._network import Network

R = TypeVar("R")

# The original's name of a scope that changes nothing.
NoOpScope = contextlib.nullcontext


def wrapped_partial(func: Network[..., R], *args: Any, **kwargs: Any) -> Network[..., R]:
    """Returns a variant of a network, with some arguments fixed.

    Args:
        func: The network.
        *args: Arguments given by position.
        **kwargs: Arguments given by name, which a call may replace.

    Returns:
        The variant, with the name, `default_image_size` and `arg_scope` of the network.
    """
    variant: Callable[..., R] = functools.partial(func, *args, **kwargs)
    return cast("Network[..., R]", functools.update_wrapper(variant, func))
