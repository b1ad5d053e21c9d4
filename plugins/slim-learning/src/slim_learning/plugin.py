"""What slim-learning offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

hookimpl  # noqa: B018
