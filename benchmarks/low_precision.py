"""How much faster a 50-layer bottleneck network is in bfloat16 than in float32.

    python benchmarks/low_precision.py

Both run in turns in one process, as `tf.function`. A processor gains where it has AVX512-BF16 or
AMX; the script says which of them it has.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from graph_building import resnet_50

import slimcore as slim

PRECISIONS = ("float32", "mixed_bfloat16")


def inference(model):
    return tf.function(model)


def training(model):
    def step(images):
        labels = tf.zeros([images.shape[0]], tf.int32)
        with tf.GradientTape() as tape:
            logits = model(images)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign_sub(1e-3 * gradient)
        return loss

    return tf.function(step)


def seconds(calls, images, repetitions):
    """Returns the fastest run of each call; the first, which traces, does not count."""
    times = {name: [] for name in calls}
    for repetition in range(repetitions + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call(images).numpy()
            if repetition:
                times[name].append(time.perf_counter() - start)
    return {name: min(found) for name, found in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="of the images, in pixels")
    parser.add_argument("--repetitions", type=int, default=5)
    args = parser.parse_args()
    cpu = Path("/proc/cpuinfo")
    flags = set(cpu.read_text().split()) if cpu.exists() else set()
    print("processor:", ", ".join({"avx512_bf16", "amx_bf16"} & flags) or "no bfloat16")
    images = tf.random.normal([args.batch, args.size, args.size, 3])
    for kind, wrap in (("inference", inference), ("training", training)):
        calls = {}
        for precision in PRECISIONS:
            is_training = kind == "training"
            model = slim.Module(
                lambda x, t=is_training: resnet_50(slim, tf, x, t), precision=precision
            )
            model(images[:1])
            calls[precision] = wrap(model)
        plain, low = seconds(calls, images, args.repetitions).values()
        print(f"{kind:9}  float32 {plain:.3f} s  bfloat16 {low:.3f} s  {plain / low:.2f} times")


if __name__ == "__main__":
    main()
