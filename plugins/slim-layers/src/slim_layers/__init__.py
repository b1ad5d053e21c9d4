"""Layers, normalization, regularizers and initializers for Slim.

The public names are those of `__init__.pyi`, imported when first used: `from slim_layers import
conv2d` gives the function that is also `slim.conv2d`, so that an `arg_scope` reaches both.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
