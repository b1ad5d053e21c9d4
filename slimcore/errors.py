"""The errors that a user can fix. The command line prints each as one line and exits with 2."""

import difflib
import re
from collections.abc import Iterable
from typing import Any


class SlimError(Exception):
    """The base of every error that Slim raises on purpose."""

    # AutoGraph raises an error out of a `tf.function` as another of its type if the type is made
    # as Exception is, and otherwise as an error of its own, which is not a ValueError.
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

    @classmethod
    def of_two_uses(cls, variable: str, made: Any, asked: Any) -> "ShapeError":
        """Returns the error for a variable that exists with another shape."""
        return cls(
            f"variable {variable} has shape {made} and is asked for as {asked}: two layers have "
            f"the scope {variable.rpartition('/')[0]!r}; give them different scopes"
        )


class ArgumentTypeError(InputError, TypeError):
    """An argument of a type that the function called cannot take."""


class ScopeError(InputError):
    """A scope that is used twice, and does not say that the two uses share their variables."""

    @classmethod
    def of(cls, variable: str) -> "ScopeError":
        """Returns the error for a variable that is used a second time."""
        scope = variable.rpartition("/")[0]
        where = f"the scope {scope!r}" if scope else "one scope"
        return cls(
            f"variable {variable} is used twice in one call, since two layers have {where}; give "
            "them different scopes, or reuse=True (or tf.compat.v1.AUTO_REUSE) to share it"
        )


class CheckpointError(SlimError, ValueError):
    """A checkpoint that cannot be read, written, or fitted to these variables."""


class DataError(SlimError, ValueError):
    """A file, record or image that cannot be read."""


class RunError(SlimError):
    """A run that cannot start or go on."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Returns up to `count` of `names` that look like `name`.

    Those that begin with the same word come first: for `save_every_n_steps`, what is wanted is
    rather `save_interval_steps` than `log_every_n_steps`.
    """
    found = difflib.get_close_matches(name, dict.fromkeys(names), 2 * count, 0.6)
    first = name.partition("_")[0]
    found.sort(key=lambda other: other.partition("_")[0] != first)
    return found[:count]


def close(name: object, names: Iterable[str], count: int = 3) -> str:
    """Returns what an error about an unknown name ends with: ". Close: a, b", or nothing.

    Args:
        name: The unknown name.
        names: Those that there are.
        count: How many to name at most.
    """
    found = nearest(str(name), names, count)
    return f". Close: {', '.join(found)}" if found else ""


# What TensorFlow puts around the reason: where an op was made, and which op it is.
_TRACE = re.compile(
    r"Graph execution error:|Detected at node|\s+File \"|Node: '|<stack traces|\s*\[\[|\s*$"
)
_OPS = re.compile(
    r"\{\{[^}]*\}\}\s*|\s*\[Op:[^\]]*\](?: name:.*)?"
    r"|Error in user-defined function.*?Iterator::\S+: "
)


# An assertion that failed, in eager mode and in a graph; behind it stands what it was given.
_ASSERTION = re.compile(r"Expected '.*' to be true\. Summarized data: |assertion failed: ")


def first_line(error: BaseException) -> str:
    """Returns the reason that an error gives, on one line.

    Of TensorFlow's errors, without the names of ops (`{{function_node …}}`, `[Op:…]`), the traces
    of where these were made, and what an assertion writes around its reason.
    """
    if isinstance(error, UnicodeDecodeError):  # a message of TensorFlow's that quotes bytes
        text = error.object.decode("utf-8", "replace")
    else:
        text = str(getattr(error, "message", "") or error)
    lines = [_OPS.sub("", line).strip() for line in text.splitlines() if not _TRACE.match(line)]
    if not lines:
        return type(error).__name__
    if found := _ASSERTION.match(lines[0]):
        lines[0] = lines[0][found.end() :]
        if found[0].startswith("Expected"):
            return " ".join(re.sub(r"^b(['\"])(.*)\1$", r"\2", line) for line in lines)
        return " ".join(re.findall(r"\[(.*?)\](?= \[|$)", lines[0]))
    return lines[0] or type(error).__name__
