"""What slim-layers offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

# Names by the module of this package that has them.
_LAYERS = {
    "batch_norm": ["batch_norm"],
    "composition": ["repeat", "stack"],
    "convolution": [
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "convolution1d",
        "convolution2d",
        "convolution3d",
    ],
    "dense": ["bias_add", "elu", "fully_connected", "linear", "relu", "relu6"],
    "normalization": ["group_norm", "instance_norm", "layer_norm"],
    "pooling": ["avg_pool2d", "avg_pool3d", "max_pool2d", "max_pool3d", "pool"],
    "separable": [
        "conv2d_in_plane",
        "convolution2d_in_plane",
        "separable_conv2d",
        "separable_convolution2d",
    ],
    "shaping": ["dropout", "flatten"],
    "softmax": ["softmax"],
    "transposed": [
        "conv2d_transpose",
        "conv3d_transpose",
        "convolution2d_transpose",
        "convolution3d_transpose",
    ],
}

_REGULARIZERS = {
    "regularizers": [
        "apply_regularization",
        "l1_l2_regularizer",
        "l1_regularizer",
        "l2_regularizer",
        "sum_regularizer",
    ],
}

_INITIALIZERS = {
    "initializers": [
        "variance_scaling_initializer",
        "xavier_initializer",
        "xavier_initializer_conv2d",
    ],
}


def _offers(names: dict[str, list[str]]) -> dict[str, str]:
    return {name: f"slim_layers.{m}:{name}" for m, listed in names.items() for name in listed}


@hookimpl
def slim_layers() -> dict[str, str]:
    return _offers(_LAYERS)


@hookimpl
def slim_regularizers() -> dict[str, str]:
    return _offers(_REGULARIZERS)


@hookimpl
def slim_initializers() -> dict[str, str]:
    return _offers(_INITIALIZERS)


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {
        "initializers": "slim_layers.initializers",
        "normalization": "slim_layers.normalization",
        "regularizers": "slim_layers.regularizers",
        "utils": "slim_layers.utils",
    }
