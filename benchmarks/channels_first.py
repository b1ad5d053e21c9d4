"""How fast ResNet-50 is channels first, beside channels last.

    TF_ENABLE_ONEDNN_OPTS=0 python benchmarks/channels_first.py [--batch 4] [--rounds 10]

The network is `slim.nets`' own, with `data_format="NCHW"` set by `arg_scope`, and both layouts have
the same weights. Where TensorFlow does not convolve channels first, as on processors without
oneDNN, layers compute channels last between transposes, and TensorFlow removes pairs that meet.
What remains stands around what the network itself does between layers: its sums and paddings.

Prints the largest difference of the outputs, relative to the largest output, and the median time of
a call of each layout; the two take turns. Training is one step of gradients, without an update.
"""

import argparse
import statistics
import time

import numpy as np
import tensorflow as tf

import slimcore as slim

LAYOUTS = ("NHWC", "NCHW")


def network(data_format):
    net = slim.lookup("net", "resnet_v1_50")
    layers = [slim.conv2d, slim.batch_norm, slim.max_pool2d]

    def function(images, is_training=False):
        with slim.arg_scope(net.arg_scope()), slim.arg_scope(layers, data_format=data_format):
            return net(images, 1000, is_training=is_training)[0]

    return slim.Module(function)


def training(model):
    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(images, is_training=True) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    return lambda images: step(images)[-1]


def median_times(calls, inputs, rounds):
    seconds = {layout: [] for layout in calls}
    for turn in range(rounds + 1):
        for layout in LAYOUTS if turn % 2 else reversed(LAYOUTS):
            start = time.perf_counter()
            calls[layout](inputs[layout]).numpy()
            if turn:  # the first builds the graph
                seconds[layout].append(time.perf_counter() - start)
    return {layout: statistics.median(times) for layout, times in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=4, help="images in a batch")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    images = np.random.default_rng(0).standard_normal((args.batch, args.size, args.size, 3))
    images = tf.constant(images, tf.float32)
    inputs = {"NHWC": images, "NCHW": tf.transpose(images, [0, 3, 1, 2])}
    models = {layout: network(layout) for layout in LAYOUTS}
    for layout, model in models.items():
        model(inputs[layout][:1])
    for name, variable in models["NCHW"].named_variables.items():
        variable.assign(models["NHWC"].named_variables[name])
    last, first = (models[layout](inputs[layout]).numpy() for layout in LAYOUTS)
    difference = np.abs(first - last).max() / np.abs(last).max()
    print(f"outputs differ by {difference:.1e} of the largest")
    tasks = {"infer": tf.function, "train": training}
    for task, make in tasks.items():
        calls = {layout: make(models[layout]) for layout in LAYOUTS}
        medians = median_times(calls, inputs, args.rounds)
        for layout, median in medians.items():
            ratio = median / medians["NHWC"]
            print(f"{task} {args.batch}  {layout}  {1000 * median:9.1f} ms  {ratio:5.2f} x NHWC")


if __name__ == "__main__":
    main()
