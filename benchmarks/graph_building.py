"""How long it takes to build the graph of a 50-layer bottleneck network, here and in tf-slim.

    python benchmarks/graph_building.py --tf-slim-python ENVIRONMENT/bin/python

Each library runs in a process of its own, in turns. The environment of tf-slim 1.1.0 needs
TensorFlow 2.12 or older, the last on which it builds batch normalization.
"""

import argparse
import subprocess
import sys
import time

BLOCKS = [
    ("block1", 256, 3, 2),
    ("block2", 512, 4, 2),
    ("block3", 1024, 6, 2),
    ("block4", 2048, 3, 1),
]


def resnet_50(slim, tf, images, is_training):
    """The 50 layers, written with the names that both libraries have."""
    norm = {"is_training": is_training, "decay": 0.997, "epsilon": 1e-5, "scale": True}

    def conv(net, depth, kernel, stride=1, **kwargs):
        return slim.conv2d(net, depth, kernel, stride=stride, **kwargs)

    def bottleneck(net, depth, stride, scope):
        with tf.compat.v1.variable_scope(scope):
            preact = slim.batch_norm(net, activation_fn=tf.nn.relu, scope="preact", **norm)
            if net.shape[-1] == depth:
                shortcut = slim.max_pool2d(net, 1, stride) if stride > 1 else net
            else:
                shortcut = conv(preact, depth, 1, stride, scope="shortcut", **plain)
            net = conv(preact, depth // 4, 1, scope="conv1")
            net = conv(net, depth // 4, 3, stride, scope="conv2")
            return shortcut + conv(net, depth, 1, scope="conv3", **plain)

    plain = {"normalizer_fn": None, "activation_fn": None}
    with (
        tf.compat.v1.variable_scope("resnet"),
        slim.arg_scope(
            [slim.conv2d],
            weights_regularizer=slim.l2_regularizer(1e-4),
            weights_initializer=slim.variance_scaling_initializer(),
            normalizer_fn=slim.batch_norm,
            normalizer_params=norm,
        ),
    ):
        net = conv(images, 64, 7, 2, scope="conv1", **plain)
        net = slim.max_pool2d(net, 3, 2, padding="SAME")
        for scope, depth, units, stride in BLOCKS:
            with tf.compat.v1.variable_scope(scope):
                for unit in range(1, units + 1):
                    last = unit == units
                    net = bottleneck(net, depth, stride if last else 1, f"unit_{unit}")
        net = slim.batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm", **norm)
        net = tf.reduce_mean(net, [1, 2])
        return slim.fully_connected(net, 1000, activation_fn=None, scope="logits")


def build_in_turns(package, repetitions):
    """Prints the CPU seconds that each of several builds takes."""
    import importlib
    import os
    import warnings

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    warnings.simplefilter("ignore")
    import tensorflow as tf

    slim = importlib.import_module(package)
    for _ in range(repetitions):
        with tf.Graph().as_default():
            images = tf.compat.v1.placeholder(tf.float32, [None, 224, 224, 3])
            start = time.thread_time()  # which other work on the machine does not disturb
            resnet_50(slim, tf, images, is_training=True)
            print(time.thread_time() - start)


def seconds(python, package, repetitions):
    """Returns the times of builds in a process of their own, without the first, which warms up."""
    command = [python, __file__, "--build", package, "--repetitions", str(repetitions + 1)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(line) for line in out.split()][1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tf-slim-python", help="interpreter of an environment with tf-slim")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--build", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.build:
        build_in_turns(args.build, args.repetitions)
        return
    ours, theirs = [], []
    for _ in range(2):
        ours += seconds(sys.executable, "slimcore", args.repetitions)
        if args.tf_slim_python:
            theirs += seconds(args.tf_slim_python, "tf_slim", args.repetitions)
    # Whatever else the machine does can only make a build slower.
    ours, theirs = min(ours), min(theirs or [float("nan")])
    print(f"slim     {ours:6.2f} s")
    print(f"tf-slim  {theirs:6.2f} s   slim takes {ours / theirs:.2f} of it")


if __name__ == "__main__":
    main()
