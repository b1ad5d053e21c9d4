"""Streaming metrics for Slim.

The public names are those of `__init__.pyi`, imported when first used: `from slim_metrics import
streaming_auc` gives the function that is also `slim.metrics.streaming_auc`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
