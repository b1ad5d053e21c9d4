"""What slim-layers offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

_LAYERS = [
    "GDN",
    "RevBlock",
    "adaptive_clipping_fn",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bias_add",
    "bucketize",
    "conv1d",
    "conv2d",
    "conv2d_in_plane",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
    "convolution",
    "convolution1d",
    "convolution2d",
    "convolution2d_in_plane",
    "convolution2d_transpose",
    "convolution3d",
    "convolution3d_transpose",
    "dense_to_sparse",
    "dense_to_sparse_tensor",
    "dropout",
    "elu",
    "flatten",
    "fully_connected",
    "gdn",
    "group_norm",
    "images_to_sequence",
    "indicators_to_sparse_ids",
    "instance_norm",
    "layer_norm",
    "legacy_fully_connected",
    "legacy_linear",
    "legacy_relu",
    "linear",
    "max_pool2d",
    "max_pool3d",
    "maxout",
    "one_hot_encoding",
    "optimize_loss",
    "pool",
    "recompute_grad",
    "relu",
    "relu6",
    "repeat",
    "rev_block",
    "scale_gradient",
    "separable_conv2d",
    "separable_convolution2d",
    "sequence_to_images",
    "softmax",
    "sparse_row_envelope",
    "spatial_softmax",
    "stack",
    "summarize_activation",
    "summarize_activations",
    "summarize_biases",
    "summarize_collection",
    "summarize_tensor",
    "summarize_tensors",
    "summarize_variables",
    "summarize_weights",
    "unit_norm",
]
_REGULARIZERS = [
    "apply_regularization",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_regularizer",
    "sum_regularizer",
]
_INITIALIZERS = [
    "variance_scaling_initializer",
    "xavier_initializer",
    "xavier_initializer_conv2d",
]


def _offers(names: list[str]) -> dict[str, str]:
    return {name: f"slim_layers:{name}" for name in names}


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
        "optimizers": "slim_layers.optimizers",
        "regularizers": "slim_layers.regularizers",
        "summaries": "slim_layers.summaries",
        "utils": "slim_layers.utils",
    }
