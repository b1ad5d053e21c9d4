"""How fast images reach a network: `slim.data.load`, tf-slim, and a hand-written pipeline.

    python benchmarks/input_pipeline.py [--tf-slim-python ENVIRONMENT/bin/python]

Writes 1,500 JPEGs of 500 x 375 into TFRecords of the layout of research/slim, and prints how many
of them a second are decoded, cropped to 224 x 224 at random, flipped at random and batched. Each
library runs in a process of its own; the processes take turns, so that a change of the machine's
speed touches all of them alike, and are halted in between, so that none works ahead. tf-slim 1.1.0
needs TensorFlow 2.12 or older. At the end slim goes through 100,000 examples and prints its memory
along the way.
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEIGHT, WIDTH, CROP, BATCH = 375, 500, 224, 32
IMAGES, FILES = 1500, 4
AT_HAND = 10  # batches at the start of a turn that are not counted, for they may lie ready
KEYS = "image/encoded", "image/format", "image/class/label"


# The images.


def write_images(folder):
    """Writes photographs of a kind: shapes with shading and some texture, JPEG quality 90."""
    import numpy as np
    import tensorflow as tf

    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)

    def draw():
        image = np.empty([HEIGHT, WIDTH, 3], np.float32)
        image[:] = random.uniform(40, 200, 3) + (y / HEIGHT * random.uniform(-80, 80))[..., None]
        for _ in range(12):
            cy, cx, radius = random.uniform(0, [HEIGHT, WIDTH, 120])
            inside = (y - cy) ** 2 + ((x - cx) * random.uniform(0.5, 2)) ** 2 < radius**2
            shade = 1 + (x - cx + y - cy)[inside] / 400
            image[inside] = random.uniform(0, 255, 3) * shade[:, None]
        image += 12 * np.sin(x / random.uniform(2, 9) + y / random.uniform(2, 9))[..., None]
        image += random.normal(0, 6, [HEIGHT, WIDTH, 1])
        return tf.io.encode_jpeg(np.clip(image, 0, 255).astype(np.uint8), quality=90).numpy()

    def example(number):
        label = tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 5]))
        texts = [
            tf.train.Feature(bytes_list=tf.train.BytesList(value=[t])) for t in (draw(), b"jpeg")
        ]
        feature = dict(zip(KEYS, [*texts, label], strict=True))
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    for n in range(FILES):
        path = str(folder / f"flowers_train_{n:05d}-of-{FILES:05d}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for number in range(n, IMAGES, FILES):
                writer.write(example(number))


# What a process does: a function that takes the next batch.


def slim_batches(folder):
    import tensorflow as tf
    from slim_data.preprocessing import Preprocessing

    import slimcore as slim

    def window(shape, height, width, training, seed):
        space = shape[:2] - [height, width] + 1
        place = tf.random.stateless_uniform([2], seed)
        start = tf.cast(place * tf.cast(space, tf.float32), tf.int32)
        return tf.concat([start, [height, width]], 0)

    def finish(image, height, width, training, seed):
        image = tf.ensure_shape(image, [height, width, 3])
        return tf.image.stateless_random_flip_left_right(image, seed + 1)

    batches = slim.data.load(
        "flowers", "train", BATCH, dataset_dir=folder, image_size=CROP, is_training=True, seed=0,
        preprocessing=Preprocessing(window, finish),
    )  # fmt: skip
    iterator = iter(batches)
    return lambda: next(iterator)


def hand_written_batches(folder):
    import tensorflow as tf

    features = {
        KEYS[0]: tf.io.FixedLenFeature([], tf.string),
        KEYS[2]: tf.io.FixedLenFeature([], tf.int64),
    }

    def example(record):
        parsed = tf.io.parse_single_example(record, features)
        image = tf.io.decode_jpeg(parsed[KEYS[0]], channels=3)
        image = tf.image.random_crop(image, [CROP, CROP, 3])
        return {"image": tf.image.random_flip_left_right(image), "label": parsed[KEYS[2]]}

    files = tf.data.Dataset.list_files(f"{folder}/flowers_train_*", seed=0)
    records = files.interleave(
        tf.data.TFRecordDataset, cycle_length=FILES, num_parallel_calls=tf.data.AUTOTUNE
    )
    examples = records.shuffle(2048).repeat().map(example, num_parallel_calls=tf.data.AUTOTUNE)
    iterator = iter(examples.batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE))
    return lambda: next(iterator)


def tf_slim_batches(folder):
    import tensorflow as tf
    import tf_slim as slim

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    decoder = slim.tfexample_decoder.TFExampleDecoder(
        {
            KEYS[0]: tf.io.FixedLenFeature([], tf.string, ""),
            KEYS[1]: tf.io.FixedLenFeature([], tf.string, "jpeg"),
            KEYS[2]: tf.io.FixedLenFeature([], tf.int64, 0),
        },
        {
            "image": slim.tfexample_decoder.Image(),
            "label": slim.tfexample_decoder.Tensor(KEYS[2]),
        },
    )
    dataset = slim.dataset.Dataset(
        f"{folder}/flowers_train_*", v1.TFRecordReader, decoder, IMAGES, {}
    )
    threads = os.cpu_count()
    provider = slim.dataset_data_provider.DatasetDataProvider(
        dataset, num_readers=4, common_queue_capacity=20 * BATCH, common_queue_min=10 * BATCH
    )
    image, label = provider.get(["image", "label"])
    image = tf.image.random_flip_left_right(tf.image.random_crop(image, [CROP, CROP, 3]))
    batch = v1.train.batch([image, label], BATCH, num_threads=threads, capacity=5 * BATCH)
    session = v1.Session()
    session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
    v1.train.start_queue_runners(session, v1.train.Coordinator())
    # The batch stays in TensorFlow, as it does for a train op.
    return session.make_callable(tf.group(*batch))


LIBRARIES = {
    "slim": slim_batches,
    "tf-slim": tf_slim_batches,
    "by hand": hand_written_batches,
}


def work(library, folder):
    """Warms up, and then takes as many batches as each line read says."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    take = LIBRARIES[library](folder)
    for _ in range(30):
        take()
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(AT_HAND):
            take()
        start = time.perf_counter()
        for _ in range(int(line)):
            take()
        print(time.perf_counter() - start, flush=True)


# The process that lets the others take turns.


def start(library, python, folder):
    worker = subprocess.Popen(
        [python, __file__, "--work", library, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if worker.stdout.readline().strip() != "ready":
        sys.exit(f"{library} failed; run: {' '.join(worker.args)}")
    worker.send_signal(signal.SIGSTOP)
    return worker


def compare(pythons, folder, rounds, batches):
    """Prints the images a second of each library, and how many times as many slim makes."""
    workers = {library: start(library, python, folder) for library, python in pythons.items()}
    seconds = {library: [] for library in workers}
    for _ in range(rounds):
        for library, worker in workers.items():
            worker.send_signal(signal.SIGCONT)
            worker.stdin.write(f"{batches}\n")
            worker.stdin.flush()
            seconds[library].append(float(worker.stdout.readline()))
            worker.send_signal(signal.SIGSTOP)
    for worker in workers.values():
        worker.kill()
        worker.wait()
    for library in workers:
        speed = statistics.median(batches * BATCH / s for s in seconds[library])
        ratios = [s / o for s, o in zip(seconds[library], seconds["slim"], strict=True)]
        print(
            f"{library:<10} {speed:8.0f} images/s   slim makes {statistics.median(ratios):.2f} "
            f"times as many ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def memory(folder, examples):
    """Prints the memory of a process of its own while it goes through so many examples."""
    code = f"import input_pipeline; input_pipeline.watch_memory({folder!r}, {examples})"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code], cwd=here, env=environment, check=True)


def watch_memory(folder, examples):
    take = slim_batches(folder)
    for n in range(examples // BATCH + 1):
        take()
        if n % max(examples // BATCH // 10, 1) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            now = pages * resource.getpagesize() / 2**20
            print(f"{n * BATCH:8} examples {now:8.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tf-slim-python", help="interpreter of an environment with tf-slim")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batches", type=int, default=40, help="in a turn")
    parser.add_argument("--examples", type=int, default=100_000, help="for memory; 0 for none")
    parser.add_argument("--folder", help="keep the images there, or find them there")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(*args.work)
        return
    with tempfile.TemporaryDirectory() as own:
        folder = Path(args.folder or own)
        folder.mkdir(parents=True, exist_ok=True)
        if not list(folder.glob("flowers_train_*")):
            write_images(folder)
        theirs = {"tf-slim": args.tf_slim_python} if args.tf_slim_python else {}
        pythons = {"slim": sys.executable, **theirs, "by hand": sys.executable}
        compare(pythons, str(folder), args.rounds, args.batches)
        if args.examples:
            memory(str(folder), args.examples)


if __name__ == "__main__":
    main()
