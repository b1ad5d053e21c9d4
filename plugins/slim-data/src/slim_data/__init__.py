"""Datasets, decoders, providers and input pipelines for Slim.

The public names are those of `__init__.pyi`, imported when first used; they are also those of
`slim.data`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
