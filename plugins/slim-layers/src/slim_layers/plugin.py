"""What slim-layers offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

# Names by the module of this package that has them.
_LAYERS = {
    "_batch_norm": ["batch_norm"],
    "_channels": ["maxout", "spatial_softmax", "unit_norm"],
    "_clipping": ["adaptive_clipping_fn"],
    "_composition": ["repeat", "stack"],
    "_convolution": [
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "convolution1d",
        "convolution2d",
        "convolution3d",
    ],
    "_dense": ["bias_add", "elu", "fully_connected", "linear", "relu", "relu6"],
    "_encodings": ["bucketize", "one_hot_encoding"],
    "_gdn": ["GDN", "gdn"],
    "_gradients": ["recompute_grad", "scale_gradient"],
    "_legacy": ["legacy_fully_connected", "legacy_linear", "legacy_relu"],
    "normalization": ["group_norm", "instance_norm", "layer_norm"],
    "optimizers": ["optimize_loss"],
    "_pooling": ["avg_pool2d", "avg_pool3d", "max_pool2d", "max_pool3d", "pool"],
    "_rev_block": ["RevBlock", "rev_block"],
    "_separable": [
        "conv2d_in_plane",
        "convolution2d_in_plane",
        "separable_conv2d",
        "separable_convolution2d",
    ],
    "_sequences": ["images_to_sequence", "sequence_to_images"],
    "_shaping": ["dropout", "flatten"],
    "_softmax": ["softmax"],
    "_sparse": [
        "dense_to_sparse",
        "dense_to_sparse_tensor",
        "indicators_to_sparse_ids",
        "sparse_row_envelope",
    ],
    "_tensor_summaries": [
        "summarize_activation",
        "summarize_activations",
        "summarize_biases",
        "summarize_collection",
        "summarize_tensor",
        "summarize_tensors",
        "summarize_variables",
        "summarize_weights",
    ],
    "_transposed": [
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
        "optimizers": "slim_layers.optimizers",
        "regularizers": "slim_layers.regularizers",
        "summaries": "slim_layers.summaries",
        "utils": "slim_layers.utils",
    }
