"""Networks of TF-Slim and research/slim.

The public names are those of `__init__.pyi`, imported when first used: `from slim_nets import vgg`
gives the module that is also `slim.nets.vgg`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
