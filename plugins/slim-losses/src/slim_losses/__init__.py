"""Losses for Slim, and the collection that sums them.

The public names are those of `__init__.pyi`, imported when first used: `from slim_losses import
hinge_loss` gives the function that is also `slim.losses.hinge_loss`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
