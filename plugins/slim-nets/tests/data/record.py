"""Records what TF-Slim's own networks give for arguments off the beaten track.

    python record.py

It writes `arguments.json` beside it, and needs tf-slim 1.1.0 on TensorFlow 2.12 in an environment
of its own. Weights and inputs are drawn as `conftest.py` draws them.
"""

import contextlib
import importlib
import json
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_slim as slim

v1 = tf.compat.v1

# Module, function, input, arguments, arguments of the arg scope (None for none).
CASES = [
    (
        "inception",
        "inception_v2",
        [1, 299, 299, 3],
        {"num_classes": 3, "spatial_squeeze": False},
        {},
    ),
    ("inception", "inception_v2", [1, 97, 130, 3], {"num_classes": 3, "depth_multiplier": 0.4}, {}),
    ("resnet_v1", "resnet_v1_50", [1, 65, 50, 3], {"num_classes": 3, "output_stride": 8}, {}),
    ("resnet_v2", "resnet_v2_50", [1, 70, 65, 3], {"global_pool": False, "output_stride": 16}, {}),
    (
        *("inception", "inception_v3", [1, 395, 330, 3]),
        {"num_classes": 3, "spatial_squeeze": False, "depth_multiplier": 0.3},
        {},
    ),
    (
        "inception",
        "inception_v1",
        [1, 299, 240, 3],
        {"num_classes": 3, "spatial_squeeze": False},
        {},
    ),
    ("resnet_v1", "resnet_v1_50", [1, 40, 40, 3], {"num_classes": 3}, {"use_batch_norm": False}),
    (
        *("inception", "inception_v2", [1, 97, 97, 3]),
        {"num_classes": 3, "depth_multiplier": 0.1, "min_depth": 5},
        {},
    ),
    (
        "inception",
        "inception_v3",
        [1, 140, 140, 3],
        {"num_classes": 3, "depth_multiplier": 0.1},
        {},
    ),
    (
        *("resnet_v2", "resnet_v2_50", [1, 33, 47, 3]),
        {"num_classes": 4, "spatial_squeeze": False},
        {"batch_norm_scale": False},
    ),
    ("inception", "inception_v1", [1, 224, 224, 3], {"num_classes": 3}, {"use_batch_norm": False}),
    (
        *("resnet_v1", "resnet_v1_50", [1, 64, 64, 3]),
        {"num_classes": 3, "store_non_strided_activations": True},
        {},
    ),
    ("alexnet", "alexnet_v2", [1, 260, 240, 3], {"num_classes": 3, "spatial_squeeze": False}, {}),
]
SCOPES = {
    "alexnet": "alexnet_v2_arg_scope",
    "overfeat": "overfeat_arg_scope",
    "vgg": "vgg_arg_scope",
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


def facts(module, function, shape, kwargs, scope):
    code = importlib.import_module(f"tf_slim.nets.{module}")
    scope_fn = SCOPES.get(module, "resnet_arg_scope")
    if module.startswith("inception"):
        scope_fn = f"{function}_arg_scope"
    if module.startswith("resnet"):
        code.resnet_arg_scope = importlib.import_module(
            "tf_slim.nets.resnet_utils"
        ).resnet_arg_scope
    given = {} if function.endswith("_base") else {"is_training": False}
    with tf.Graph().as_default():
        inputs = v1.placeholder(tf.float32, shape)
        entered = (
            contextlib.nullcontext()
            if scope is None
            else slim.arg_scope(getattr(code, scope_fn)(**scope))
        )
        with entered:
            outputs, ends = getattr(code, function)(inputs, **given, **kwargs)
        with v1.Session() as session:
            variables = v1.global_variables()
            starts = {
                v.initializer.inputs[1]: weights(v.op.name, tuple(v.shape.as_list()))
                for v in variables
            }
            session.run([v.initializer for v in variables], starts)
            draws = np.random.Generator(np.random.PCG64(0)).standard_normal(shape)
            value, ends = session.run([outputs, dict(ends)], {inputs: draws.astype(np.float32)})
        number = sum(int(np.prod(v.shape.as_list())) for v in v1.global_variables())
    flat = value.astype(np.float64).ravel()
    n = flat.size
    return {
        "module": module,
        "function": function,
        "input": shape,
        "kwargs": kwargs,
        "scope_function": None if scope is None else scope_fn,
        "scope": scope,
        "parameters": number,
        "end_points": {k: [*v.shape] for k, v in ends.items()},
        "norms": {
            k: float(f"{np.sqrt(np.sum(v.astype(float) ** 2)):.6g}") for k, v in ends.items()
        },
        "shape": [*value.shape],
        "l2": float(f"{np.sqrt(np.sum(flat**2)):.7g}"),
        "probe": [float(f"{flat[i]:.7g}") for i in (0, n // 7, n // 2, 6 * n // 7)],
    }


if __name__ == "__main__":
    recorded = []
    for case in CASES:
        print(case, flush=True)
        try:
            recorded.append(facts(*case))
        except TypeError as error:  # an argument that only research/slim has
            print(f"not recorded: {error}", flush=True)
        lines = ",\n".join(json.dumps(r) for r in recorded)
        Path(__file__).with_name("arguments.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
