"""What a network is beyond a function: an image size and an arg scope of its own."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast

from slimcore import Scope

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Network(Protocol[P, R_co]):
    """A function that builds a network.

    Attributes:
        default_image_size: Height and width of the images in the paper, in pixels.
        arg_scope: Returns the scope to build the network in. A network that enters its scope by
            itself does not have it.
    """

    __name__: str
    default_image_size: int
    arg_scope: Callable[..., Scope]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Builds the network."""


def network(
    image_size: int, arg_scope: Callable[..., Scope] | None = None
) -> Callable[[Callable[P, R_co]], Network[P, R_co]]:
    """Returns a decorator that gives a function `default_image_size` and `arg_scope`.

    Args:
        image_size: Height and width of the images in the paper, in pixels.
        arg_scope: Returns the scope to build the network in; None for a network that enters its
            scope by itself.
    """

    def decorate(function: Callable[P, R_co]) -> Network[P, R_co]:
        decorated = cast(Network[P, R_co], function)
        decorated.default_image_size = image_size
        if arg_scope is not None:
            decorated.arg_scope = arg_scope
        return decorated

    return decorate
