"""How fast networks are built, trained and run: here, in tf-slim, and in Keras.

    python benchmarks/networks.py [--tf-slim-python ENVIRONMENT/bin/python] [--only vgg_16]

Prints the median time of each library, and how many times faster slim is. Each library trains as it
does by itself, with SGD and momentum, in a process of its own; the processes take turns, so that a
change of the machine's speed touches all of them alike, and in an order drawn for each round, since
some processors are slower just after a turn in bfloat16. tf-slim 1.1.0 needs TensorFlow 2.12 or
older. The line `slim bfloat16` is slim with `precision="mixed_bfloat16"`, beside slim itself.

Inference is what each library has for it: slim's `Module.frozen`, whose weights are constants, and
variables in the others. Beside these, `slim variables` is the `Module` called as in training, and
`tf-slim frozen` is tf-slim after TensorFlow's own `convert_variables_to_constants`.

What a library gains differs by the size of the batch, hence a small one and the default of
`slim train`. All three call the same kernels for convolutions. What is done once for a batch, such
as the update of vgg_16's 138 million weights, shows at small ones.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time

BUILDS = ["resnet_v2_152", "inception_v3"]
NETWORKS = {"resnet_v1_50": "ResNet50", "vgg_16": "VGG16"}  # the name in Keras
SIZE, CLASSES = 224, 1000
DECAY = 1e-4  # the factor of the weights' penalty


# What a process does: a function that returns the work of one turn.


def building(library, name):
    """Returns a function that builds the graph of a network for training."""
    import tensorflow as tf

    net, scope = (slim_net if library == "slim" else tf_slim_net)(name)
    size = net.default_image_size if library == "slim" else {"inception_v3": 299}.get(name, SIZE)

    def build():
        with tf.Graph().as_default():
            images = tf.compat.v1.placeholder(tf.float32, [2, size, size, 3])
            with scope():
                net(images, num_classes=CLASSES, is_training=True)

    return build


def slim_net(name):
    import slimcore as slim

    net = slim.lookup("net", name)
    return net, lambda: slim.arg_scope(net.arg_scope())


def tf_slim_net(name):
    import tf_slim as slim
    from tf_slim.nets import inception, resnet_v1, resnet_v2, vgg

    family = {"inception": inception, "resnet_v1": resnet_v1, "resnet_v2": resnet_v2, "vgg": vgg}
    module = next(module for prefix, module in family.items() if name.startswith(prefix))
    scope_name = {"resnet": "resnet_arg_scope", "vgg": "vgg_arg_scope"}
    scope = getattr(module, scope_name.get(name.split("_")[0], f"{name}_arg_scope"))
    return getattr(module, name), lambda: slim.arg_scope(scope())


def running(library, name, training, batch):
    """Returns a function that trains on, or classifies, one batch."""
    import numpy as np

    draws = np.random.default_rng(0)
    images = draws.standard_normal((batch, SIZE, SIZE, 3)).astype(np.float32)
    labels = draws.integers(0, CLASSES, batch)
    if library.startswith("tf-slim"):
        return tf_slim_step(name, training, library == "tf-slim frozen", images, labels)
    import tensorflow as tf

    if library == "keras":
        kwargs = {"weights": None, "classifier_activation": None}
        model = getattr(tf.keras.applications, NETWORKS[name])(**kwargs)

        def logits(images):
            return model(images, training=training)

        def penalties():
            weights = [v for v in model.trainable_variables if v.name == "kernel"]
            return [DECAY * tf.nn.l2_loss(v) for v in weights]

    else:
        import slimcore as slim

        precision = "mixed_bfloat16" if library == "slim bfloat16" else None
        function = slim.nets.get_network_fn(name, CLASSES, weight_decay=DECAY)
        model = slim.Module(function, precision=precision)
        model(images[:1], is_training=False)  # makes the variables
        called = model if training or library == "slim variables" else model.frozen

        def logits(images):
            return called(images, is_training=training)[0]

        def penalties():
            return model.regularization_losses

    optimizer = tf.keras.optimizers.SGD(0.001, momentum=0.9)
    images, labels = tf.constant(images), tf.constant(labels)

    def loss_of(batch):
        images, labels = batch
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits(images))
        return tf.add_n([tf.reduce_mean(each), *penalties()])

    if training and library != "keras":
        train_op = slim.learning.create_train_op(loss_of, optimizer)
        return lambda: train_op((images, labels)).numpy()

    @tf.function
    def step(images, labels):
        if not training:
            return logits(images)
        with tf.GradientTape() as tape:
            loss = loss_of((images, labels))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return lambda: step(images, labels).numpy()


def tf_slim_step(name, training, frozen, images, labels):
    import tensorflow as tf
    import tf_slim as slim

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    net, scope = tf_slim_net(name)
    with scope():
        # A constant would be the end of a frozen network, computed ahead as a whole.
        given = v1.placeholder(tf.float32, images.shape)
        logits, _ = net(given, num_classes=CLASSES, is_training=training)
    fetch = logits = tf.reshape(logits, [len(images), CLASSES])
    if training:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        v1.losses.add_loss(tf.reduce_mean(each))
        optimizer = v1.train.MomentumOptimizer(0.001, momentum=0.9)
        fetch = slim.learning.create_train_op(v1.losses.get_total_loss(), optimizer)
    session = v1.Session()
    session.run(v1.global_variables_initializer())
    if frozen:
        definition = v1.get_default_graph().as_graph_def()
        freeze = v1.graph_util.convert_variables_to_constants
        definition = freeze(session, definition, [logits.op.name])
        with tf.Graph().as_default() as graph:
            names = [logits.name, given.name]
            fetch, given = tf.import_graph_def(definition, return_elements=names)
        session = v1.Session(graph=graph)
    return lambda: session.run(fetch, {given: images})


def work(library, name, task, batch):
    """Warms up, and then takes a turn for each line read."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if task == "build":
        turn = building(library, name)
    else:
        turn = running(library, name, task == "train", batch)
    for _ in range(2):
        turn()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        turn()
        print(time.perf_counter() - start, flush=True)


# The process that lets the others take turns.


def compare(task, name, pythons, batch, rounds):
    """Prints the median time of a turn of each library, and how many times slower than slim.

    `batch` is 0 for a task without one.
    """
    workers = {}
    for library, python in pythons.items():
        command = [python, __file__, "--work", library, name, task, "--batch", str(batch)]
        workers[library] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    seconds = {library: [] for library in workers}
    for library, worker in workers.items():
        if worker.stdout.readline().strip() != "ready":
            sys.exit(f"{library} failed; run: {' '.join(worker.args)}")
    draws = random.Random(0)
    for _ in range(rounds):
        for library, worker in draws.sample(list(workers.items()), len(workers)):
            worker.stdin.write("turn\n")
            worker.stdin.flush()
            seconds[library].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    medians = {library: statistics.median(times) for library, times in seconds.items()}
    for library, median in medians.items():
        faster = medians["slim"] / median if "bfloat16" in library else median / medians["slim"]
        note = "times slim's speed" if "bfloat16" in library else "times slim's time"
        what = f"{task} {batch}" if batch else task
        print(f"{what:<8} {name:<14} {library:<14} {1000 * median:9.1f} ms  {faster:5.2f} {note}")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tf-slim-python", help="interpreter of an environment with tf-slim")
    parser.add_argument("--only", help="one network")
    parser.add_argument("--task", choices=["build", "train", "infer"], help="one task")
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 32], help="examples in a batch")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(*args.work, args.batch[0])
        return
    theirs = {"tf-slim": args.tf_slim_python} if args.tf_slim_python else {}
    libraries = {"slim": sys.executable, **theirs}
    for name in BUILDS:
        if args.task in (None, "build") and args.only in (None, name):
            compare("build", name, libraries, 0, args.rounds)
    libraries |= {"keras": sys.executable, "slim bfloat16": sys.executable}
    beside = {"slim variables": sys.executable}
    if theirs:
        beside["tf-slim frozen"] = args.tf_slim_python
    for name in NETWORKS:
        for task in ("train", "infer"):
            if args.task in (None, task) and args.only in (None, name):
                for batch in args.batch:
                    workers = libraries | beside if task == "infer" else libraries
                    compare(task, name, workers, batch, args.rounds)


if __name__ == "__main__":
    main()
