"""The errors a user can mend. The command line prints each as one line and exits with 2."""

import difflib
from collections.abc import Iterable


class SlimError(Exception):
    """The base of every error that Slim raises on purpose."""

    # AutoGraph raises an error out of a `tf.function` as another of its type if the type is made
    # as Exception is, and otherwise as an error of its own, which is no ValueError.
    __init__ = Exception.__init__


class UnknownComponentError(SlimError, AttributeError, LookupError):
    """Nobody offers this name."""


class ConflictError(SlimError):
    """Several distributions offer this name, and no preference chooses."""


class PreferenceError(SlimError):
    """A preference cannot be read, or asks for something that is not there."""


class ComponentLoadError(SlimError, ImportError):
    """A component is offered, and its code cannot be imported."""


class ArgScopeError(SlimError, ValueError, TypeError):
    """An `arg_scope` names a function or an argument that cannot be scoped."""


class NoModuleError(SlimError, ValueError):
    """Something needs a place for its state, and neither a graph nor a `slim.Module` is there."""


class InputError(SlimError, ValueError):
    """An argument, a shape or a value that the function called cannot take."""


class ShapeError(InputError):
    """A tensor whose shape the function called cannot take."""


class ArgumentTypeError(InputError, TypeError):
    """An argument of a type that the function called cannot take."""


class CheckpointError(SlimError, ValueError):
    """A checkpoint that cannot be read, written, or fitted to these variables."""


class DataError(SlimError, ValueError):
    """A file, record or image that cannot be read."""


class RunError(SlimError):
    """A run that cannot start or go on."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> str:
    """Returns up to `count` of `names` that look like `name`, as a phrase, or "nothing".

    Those that begin with the same word come first: for `save_every_n_steps`, what is wanted is
    rather `save_interval_steps` than `log_every_n_steps`.
    """
    found = difflib.get_close_matches(name, dict.fromkeys(names), 2 * count, 0.6)
    first = name.partition("_")[0]
    found.sort(key=lambda other: other.partition("_")[0] != first)
    return ", ".join(found[:count]) or "nothing"
