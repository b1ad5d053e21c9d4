"""Records what TF-Slim's own networks give for arguments off the beaten track.

    python record.py

It writes `arguments.json` beside it, and needs tf-slim 1.1.0 on TensorFlow 2.12 in an
environment of its own. Weights and inputs are drawn as `conftest.py` draws them.
"""

import contextlib
import importlib
import inspect
import json
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_slim as slim

v1 = tf.compat.v1

BLOCKS = [["block1", 4, 2, 2], ["block2", 6, 3, 2], ["block3", 8, 2, 1]]
WITHOUT_ROOT = {"include_root_block": False, "blocks": BLOCKS}
NORM = {"batch_norm_decay": 0.5, "batch_norm_epsilon": 0.1}
FINE = {"batch_norm_decay": 0.9, "batch_norm_epsilon": 1e-7}
TRAINING = {"is_training": True, "dropout_keep_prob": 1.0}
TINY = {"depth_multiplier": 0.1, "min_depth": 5}
DEEP = ["50", "101", "152", "200"]

# Module, function, input, arguments, arguments of the arg scope (None for no scope).
CASES = [
    # Networks of dense heads.
    ("alexnet", "alexnet_v2", [1, 195, 224, 3], {"num_classes": 1, "scope": "net"}, {}),
    (
        *("alexnet", "alexnet_v2", [2, 260, 240, 1]),
        {"num_classes": 3, "spatial_squeeze": False, **TRAINING},
        {"weight_decay": 0.01},
    ),
    ("overfeat", "overfeat", [1, 231, 240, 3], {"num_classes": 1, "scope": "net"}, {}),
    (
        *("overfeat", "overfeat", [1, 263, 231, 1]),
        {"num_classes": 3, "spatial_squeeze": False, **TRAINING},
        {"weight_decay": 0.01},
    ),
    ("vgg", "vgg_a", [1, 224, 240, 1], {"num_classes": 1, "scope": "net"}, {"weight_decay": 0.01}),
    (
        *("vgg", "vgg_a", [1, 224, 260, 3]),
        {"num_classes": 3, "spatial_squeeze": False, **TRAINING},
        None,
    ),
    ("vgg", "vgg_16", [1, 225, 256, 3], {"num_classes": 2, "spatial_squeeze": False}, {}),
    ("vgg", "vgg_d", [1, 224, 224, 2], {"num_classes": 2, **TRAINING}, {}),
    ("vgg", "vgg_19", [1, 224, 255, 3], {"num_classes": 2, "scope": "net"}, {}),
    ("vgg", "vgg_e", [1, 256, 224, 2], {"num_classes": 2, "spatial_squeeze": False}, {}),
    # Inception v1.
    ("inception", "inception_v1_base", [1, 51, 40, 1], {"final_endpoint": "Mixed_3c"}, {}),
    (
        *("inception", "inception_v1_base", [2, 33, 18, 3]),
        {"final_endpoint": "MaxPool_2a_3x3", "scope": "net"},
        {"use_batch_norm": False, "weight_decay": 0.5},
    ),
    (
        *("inception", "inception_v1", [1, 299, 240, 3]),
        {"num_classes": 3, "spatial_squeeze": False, "prediction_fn": "sigmoid"},
        {"batch_norm_var_collection": "averages"},
    ),
    (
        *("inception", "inception_v1", [2, 224, 195, 3]),
        {"num_classes": 1, "scope": "net", "prediction_fn": "log_softmax", **TRAINING},
        {"weight_decay": 0.01},
    ),
    ("inception", "inception_v1", [1, 200, 220, 3], {"num_classes": 3}, {"use_batch_norm": False}),
    # Inception v2.
    (
        *("inception", "inception_v2_base", [1, 50, 41, 2]),
        {"final_endpoint": "Mixed_4b", "depth_multiplier": 0.3},
        {},
    ),
    (
        *("inception", "inception_v2_base", [2, 33, 18, 3]),
        {"final_endpoint": "Conv2d_1a_7x7", "depth_multiplier": 1.5, "scope": "net"},
        {"batch_norm_var_collection": "averages", "weight_decay": 0.5},
    ),
    (
        *("inception", "inception_v2", [1, 299, 299, 3]),
        {"num_classes": 3, "spatial_squeeze": False},
        {},
    ),
    ("inception", "inception_v2", [1, 97, 130, 3], {"num_classes": 3, "depth_multiplier": 0.4}, {}),
    (
        *("inception", "inception_v2", [3, 97, 97, 3]),
        {"num_classes": 1, "prediction_fn": "sigmoid", "scope": "net", **TINY, **TRAINING},
        {},
    ),
    (
        *("inception", "inception_v2", [1, 300, 353, 3]),
        {
            **{"num_classes": 3, "depth_multiplier": 0.2, "min_depth": 1},
            **{"spatial_squeeze": False, "prediction_fn": "log_softmax"},
        },
        None,
    ),
    # Inception v3.
    (
        *("inception", "inception_v3_base", [1, 75, 90, 2]),
        {"final_endpoint": "Mixed_5c", "depth_multiplier": 0.3},
        {"use_fused_batchnorm": False, **NORM},
    ),
    (
        *("inception", "inception_v3_base", [1, 80, 80, 3]),
        {"final_endpoint": "Mixed_7a", "scope": "net", **TINY},
        {"updates_collections": "others", **FINE},
    ),
    (
        *("inception", "inception_v3", [1, 395, 330, 3]),
        {"num_classes": 3, "spatial_squeeze": False, **TINY, "prediction_fn": "sigmoid"},
        {},
    ),
    (
        *("inception", "inception_v3", [1, 140, 140, 3]),
        {"num_classes": 3, "depth_multiplier": 0.1},
        {"weight_decay": 0.01},
    ),
    (
        *("inception", "inception_v3", [3, 150, 130, 3]),
        {
            **{"num_classes": 1, "create_aux_logits": False, "scope": "net"},
            **{"prediction_fn": "log_softmax", **TINY, **TRAINING},
        },
        NORM,
    ),
    (
        *("inception", "inception_v3", [1, 299, 331, 3]),
        {
            **{"num_classes": 2, "spatial_squeeze": False, "create_aux_logits": True},
            **{"depth_multiplier": 0.2, "min_depth": 3},
        },
        None,
    ),
    # What ResNets are made of.
    *(
        ("resnet_utils", "conv2d_same", [1, *size, 3], {"num_outputs": 2, **kwargs}, None)
        for size, kwargs in [
            ([9, 8], {"kernel_size": 4, "stride": 2, "scope": "conv"}),
            ([11, 14], {"kernel_size": 3, "stride": 3, "scope": "conv"}),
            ([9, 8], {"kernel_size": 5, "stride": 1, "rate": 2, "scope": "conv"}),
        ]
    ),
    *(("resnet_utils", "subsample", [1, 9, 8, 3], {"factor": n}, None) for n in (1, 2, 3)),
    *(
        (version, "bottleneck", [1, 9, 8, 6], {"depth_bottleneck": 2, **kwargs}, {})
        for version in ("resnet_v1", "resnet_v2")
        for kwargs in [
            {"depth": 6, "stride": 3, "outputs_collections": "maps"},
            {"depth": 5, "stride": 2, "scope": "unit"},
            {"depth": 6, "stride": 1, "rate": 2, "scope": "unit"},
        ]
    ),
    # ResNets.
    *(
        (version, version, shape, kwargs, scope)
        for version in ("resnet_v1", "resnet_v2")
        for shape, kwargs, scope in [
            ([1, 17, 22, 5], {**WITHOUT_ROOT, "global_pool": False, "output_stride": 2}, {}),
            (
                [1, 17, 22, 5],
                {**WITHOUT_ROOT, "num_classes": 3, "output_stride": 1, "scope": "net"},
                {"batch_norm_scale": False, "weight_decay": 0.5},
            ),
            (
                [2, 65, 50, 3],
                {"blocks": BLOCKS, "num_classes": 3, "global_pool": False, "output_stride": 8},
                FINE,
            ),
            (
                [4, 65, 50, 3],
                {"blocks": BLOCKS, "num_classes": 1, "output_stride": 4, "is_training": True},
                NORM,
            ),
        ]
    ),
    ("resnet_v1", "resnet_v1_50", [1, 65, 50, 3], {"num_classes": 3, "output_stride": 8}, {}),
    (
        *("resnet_v1", "resnet_v1_50", [1, 33, 65, 3]),
        {"global_pool": False, "scope": "net", "output_stride": 16},
        {},
    ),
    ("resnet_v2", "resnet_v2_50", [1, 70, 65, 3], {"global_pool": False, "output_stride": 16}, {}),
    (
        *("resnet_v2", "resnet_v2_50", [1, 33, 47, 3]),
        {"num_classes": 4, "output_stride": 4, "scope": "net"},
        {"batch_norm_scale": False},
    ),
    *(
        (
            *(version, f"{version}_{depth}", [1, 33, 47, 3]),
            {"num_classes": 2, "output_stride": 8, "global_pool": False, "scope": "net"},
            {},
        )
        for version in ("resnet_v1", "resnet_v2")
        for depth in DEEP[1:]
    ),
]
SCOPES = {
    **{name: f"{name}_arg_scope" for name in ("vgg", "overfeat")},
    "alexnet": "alexnet_v2_arg_scope",
}
PREDICTIONS = {
    "sigmoid": lambda logits, scope: tf.sigmoid(logits, name=scope),
    "log_softmax": lambda logits, scope: tf.nn.log_softmax(logits, name=scope),
}


def weights(name, shape):
    z = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape)
    z = z.astype(np.float32)
    kind = name.rpartition("/")[2]
    if kind in ("weights", "pointwise_weights"):
        return z * np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    if kind == "depthwise_weights":
        return z * np.float32(np.sqrt(2 / np.prod(shape[:2])))
    if kind == "gamma":
        return 1 + 0.1 * z
    if kind == "moving_variance":
        return 1 + 0.1 * np.abs(z)
    return 0.1 * z


def numbers(value):
    """Returns shape, mean, root of the sum of squares, and three elements."""
    flat = value.astype(np.float64).ravel()
    n = flat.size
    chosen = [flat.mean(), np.sqrt(np.sum(flat**2)), flat[n // 7], flat[n // 2], flat[6 * n // 7]]
    return [[*value.shape], *(float(f"{x:.5g}") for x in chosen)]


def facts(module, function, shape, kwargs, scope):
    code = importlib.import_module(f"tf_slim.nets.{module}")
    build = getattr(code, function)
    scope_fn, place = SCOPES.get(module), code
    if module.startswith("inception"):
        scope_fn = function.removesuffix("_base") + "_arg_scope"
    elif module.startswith("resnet"):
        scope_fn, place = "resnet_arg_scope", importlib.import_module("tf_slim.nets.resnet_utils")
    given = {"is_training": False} if "is_training" in inspect.signature(build).parameters else {}
    given |= kwargs
    if "blocks" in kwargs:
        given["blocks"] = [getattr(code, f"{module}_block")(*block) for block in kwargs["blocks"]]
    if "prediction_fn" in kwargs:
        given["prediction_fn"] = PREDICTIONS[kwargs["prediction_fn"]]
    with tf.Graph().as_default() as graph:
        inputs = v1.placeholder(tf.float32, shape)
        entered = contextlib.nullcontext()
        if scope is not None:
            entered = slim.arg_scope(getattr(place, scope_fn)(**scope))
        with entered:
            built = build(inputs, **given)
        outputs, ends = built if isinstance(built, tuple) else (built, {})
        losses = v1.losses.get_regularization_losses()
        variables = v1.global_variables()
        collections = {
            key: len(v1.get_collection(key))
            for key in graph.get_all_collection_keys()
            if isinstance(key, str) and not key.endswith("_end_points") and "/" not in key
        }
        with v1.Session() as session:
            starts = {
                v.initializer.inputs[1]: weights(v.op.name, tuple(v.shape.as_list()))
                for v in variables
            }
            session.run([v.initializer for v in variables], starts)
            draws = np.random.Generator(np.random.PCG64(0)).standard_normal(shape)
            feeds = {inputs: draws.astype(np.float32)}
            value, ends, loss = session.run([outputs, dict(ends), [*losses]], feeds)
            session.run(v1.get_collection("update_ops"), feeds)
            averages = [v for v in variables if "moving_" in v.op.name]
            moved = [np.ravel(x) for x in session.run(averages)]
    names = sorted(f"{v.op.name} {v.shape.as_list()}" for v in variables)
    if len(ends) > 100:  # the blocks alone, of the deeper ResNets
        ends = {name: end for name, end in ends.items() if "/unit_" not in name}
    return {
        "module": module,
        "function": function,
        "input": shape,
        "kwargs": kwargs,
        "scope_function": None if scope is None else scope_fn,
        "scope": scope,
        "variables": [len(names), zlib.crc32("\n".join(names).encode())],
        "parameters": sum(int(np.prod(v.shape.as_list())) for v in variables),
        "collections": {k: n for k, n in collections.items() if not k.startswith("_")},
        "regularization_loss": float(f"{np.sum(loss):.6g}"),
        "averages": numbers(np.concatenate(moved)) if moved else None,
        "outputs": numbers(value),
        "end_points": {k: numbers(v) for k, v in ends.items()},
    }


if __name__ == "__main__":
    recorded = []
    for case in CASES:
        print(case, flush=True)
        recorded.append(json.dumps(facts(*case), separators=(",", ":")))
    text = "[\n" + ",\n".join(recorded) + "\n]\n"
    Path(__file__).with_name("arguments.json").write_text(text, encoding="utf-8")
