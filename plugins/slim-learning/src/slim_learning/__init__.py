"""Training and evaluation loops for Slim, and the commands that use them.

The public names are those of `__init__.pyi`, imported when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
