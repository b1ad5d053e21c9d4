"""`slim train`."""

import os
from pathlib import Path
from typing import Any

import click

from slim_learning.record import NAME, read
from slimcore.errors import RunError

# What a run is and stays; another value means another run.
IDENTITY = ("network", "dataset", "split", "preprocessing", "image_size", "optimizer")

DEFAULTS = {
    "split": "train",
    "number_of_steps": 500,
    "batch_size": 32,
    "optimizer": "adam",
    "weight_decay": 0.0001,
}
LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "rmsprop": 0.001, "adam": 0.001, "adamw": 0.001}


@click.command()
@click.option("--logdir", required=True, help="The run's folder.")
@click.option("--net", "network", help="The network: slim list net shows them.")
@click.option("--dataset", help="The dataset: slim list dataset shows them.")
@click.option("--dataset-dir", help="The folder with its files, where they are not bundled.")
@click.option("--split", help="The part to learn from.  [default: train]")
@click.option("--steps", "number_of_steps", type=click.IntRange(1), help="[default: 500]")
@click.option("--batch-size", type=click.IntRange(1), help="[default: 32]")
@click.option(
    "--optimizer",
    type=click.Choice(list(LEARNING_RATES)),
    help="[default: adam]",
)
@click.option("--learning-rate", type=float, help="[default: the optimizer's]")
@click.option("--weight-decay", type=float, help="Of the weights' L2 loss.  [default: 0.0001]")
@click.option("--clip-gradient-norm", type=float, help="Largest norm of each gradient.")
@click.option("--preprocessing", help="[default: the network's]")
@click.option("--image-size", type=click.IntRange(1), help="[default: the network's]")
@click.option("--seed", type=int, help="Of everything random.  [default: drawn, and recorded]")
@click.option("--deterministic", is_flag=True, help="Same results each time, at some speed.")
@click.option("--log-every", type=click.IntRange(1), default=100, show_default=True, help="Steps.")
@click.option("--save-secs", type=float, default=60, show_default=True, help="Between checkpoints.")
@click.option("--save-steps", type=click.IntRange(1), help="Steps between checkpoints.")
@click.option("--keep", type=click.IntRange(1), default=5, show_default=True, help="Checkpoints.")
def train(
    logdir: str,
    deterministic: bool,
    log_every: int,
    save_secs: float,
    save_steps: int | None,
    keep: int,
    **asked: Any,
) -> None:
    """Train a network on a dataset; started again, go on from the newest checkpoint.

    What is not said is as in the run so far, and by default as shown. Ctrl-C and SIGTERM save a
    checkpoint first.
    """
    settings = _settings(logdir, {k: v for k, v in asked.items() if v is not None})
    import tensorflow as tf

    import slimcore as slim
    from slim_learning.tasks import new_task

    task = new_task(
        *(settings[k] for k in ("network", "dataset", "dataset_dir", "split")),
        settings.get("preprocessing"),
        settings.get("image_size"),
    )
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(settings["seed"])
    model = task.model(settings["weight_decay"])

    def loss_fn(batch: Any) -> Any:
        logits, _ = model(batch["image"], is_training=True)
        slim.losses.sparse_softmax_cross_entropy(logits, batch["label"])
        return slim.losses.get_total_loss()

    train_op = slim.learning.create_train_op(
        loss_fn,
        make_optimizer(settings["optimizer"], settings["learning_rate"]),
        clip_gradient_norm=settings.get("clip_gradient_norm") or 0,
    )
    batches = task.load(
        settings["split"], settings["batch_size"], is_training=True, seed=settings["seed"]
    )
    slim.learning.train(
        train_op,
        logdir,
        dataset=batches,
        number_of_steps=settings["number_of_steps"],
        log_every_n_steps=log_every,
        save_interval_secs=save_secs,
        save_interval_steps=save_steps,
        keep_checkpoints=keep,
        config={**settings, **task.record()},
    )


def _settings(logdir: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Joins what is asked for with the run so far and the defaults.

    Raises:
        RunError: The folder holds a run of another network, dataset or optimizer; or none, and it
            is not said what to train on what.
    """
    before = read(logdir) if Path(logdir, NAME).exists() else {}
    for name in IDENTITY:
        there, here = before.get(name), asked.get(name)
        if before and here is not None and here != there:
            raise RunError(
                f"{logdir} holds a run whose {name.replace('_', ' ')} is {there}, not {here}; "
                "choose another --logdir"
            )
    kept = (*DEFAULTS, *IDENTITY, "dataset_dir", "learning_rate", "clip_gradient_norm", "seed")
    seed = int.from_bytes(os.urandom(4), "little") >> 1
    settings = {"dataset_dir": None, "seed": seed, **DEFAULTS}
    settings |= {k: before[k] for k in kept if before.get(k) is not None} | asked
    settings.setdefault("learning_rate", LEARNING_RATES[settings["optimizer"]])
    for name, option in (("network", "--net"), ("dataset", "--dataset")):
        if name not in settings:
            raise RunError(f"there is no run in {logdir} to go on with: say {option}")
    return settings


def make_optimizer(name: str, learning_rate: float) -> Any:
    """Returns the Keras optimizer of a name."""
    from tensorflow.keras import optimizers

    makers = {
        "sgd": lambda: optimizers.SGD(learning_rate),
        "momentum": lambda: optimizers.SGD(learning_rate, momentum=0.9),
        "rmsprop": lambda: optimizers.RMSprop(learning_rate, momentum=0.9),
        "adam": lambda: optimizers.Adam(learning_rate),
        "adamw": lambda: optimizers.AdamW(learning_rate),
    }
    return makers[name]()
