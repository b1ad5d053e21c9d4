"""Variants of a network: the same function with some arguments fixed."""

import functools
from collections.abc import Callable, Mapping
from typing import Any


def wrapped_partial(
    func: Callable[..., Any],
    new_defaults: Mapping[str, Any] | None = None,
    *args: Any,
    **kwargs: Any,
) -> Callable[..., Any]:
    """Returns a function with arguments fixed, that keeps what tells about the network.

    Args:
        func: The network, with its `default_image_size` and `arg_scope`.
        new_defaults: Arguments that the result takes by default, and that a call may replace.
        *args: Arguments given by position.
        **kwargs: Arguments given by name. A call may replace these too.
    """
    variant = functools.partial(func, *args, **{**(new_defaults or {}), **kwargs})
    return functools.update_wrapper(variant, func)
