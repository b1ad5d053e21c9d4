"""`slim train`."""

from typing import TYPE_CHECKING, Any

import click

from slim_learning.commands.options import Command
from slim_learning.commands.train_options import train_options

if TYPE_CHECKING:
    import slimcore as slim
    from slim_learning.tasks import Task
    from slim_learning.training_loop.train_op import TrainOp

# Of the second classifier that some networks have in training.
AUXILIARY_WEIGHT = 0.4


@click.command(cls=Command)
@train_options
def train(
    logdir: str,
    deterministic: bool,
    recalibrate_batch_norm: int | None,
    log_every: int,
    summary_secs: float,
    save_secs: float,
    save_steps: int | None,
    keep: int,
    keep_every_hours: float | None,
    on_disk_full: str,
    eval_every: int | None,
    eval_split: str,
    keep_best: str | None,
    early_stopping: int | None,
    **asked: Any,
) -> None:
    """Train a network on a dataset; started again, go on from the newest checkpoint.

    What is not said is as in the run so far, and by default as shown. Ctrl-C and SIGTERM save a
    checkpoint first. The names of research/slim's flags are taken too, such as --model_name.
    """
    if (keep_best or early_stopping) and not eval_every:
        raise click.UsageError("--keep-best and --early-stopping go with --eval-every")
    from slim_learning.settings import joined

    settings = joined(logdir, asked)
    import tensorflow as tf

    import slimcore as slim
    from slim_learning.judging import evaluate_fn
    from slim_learning.tasks import new_task
    from slim_learning.training_loop.batch_norm_statistics import statistics_of

    task = new_task(
        *(settings[k] for k in ("network", "dataset", "dataset_dir", "split")),
        settings.get("preprocessing"),
        settings.get("image_size"),
        settings["labels_offset"],
    )
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(settings["seed"])
    model = task.model(settings["weight_decay"], settings.get("precision"))
    train_op = _train_op(task, model, settings)
    skip_corrupt = settings.get("skip_corrupt") or 0
    batches = task.load(
        settings["split"],
        settings["batch_size"],
        is_training=True,
        seed=settings["seed"],
        skip_corrupt=skip_corrupt,
    )
    train_op.build(batches.element_spec)
    if recalibrate_batch_norm:
        statistics_of(train_op.model_variables)  # complains where there are none
    evaluation = _judged_by(keep_best, early_stopping)
    if eval_every:
        judged_on = task.load(eval_split, 100, skip_corrupt=skip_corrupt)
        evaluation["evaluate_fn"] = evaluate_fn(task, model, train_op, judged_on)
    slim.learning.train(
        train_op,
        logdir,
        dataset=batches,
        number_of_steps=settings["number_of_steps"],
        log_every_n_steps=log_every,
        save_interval_secs=save_secs,
        save_interval_steps=save_steps,
        keep_checkpoints=keep,
        keep_checkpoint_every_n_hours=keep_every_hours,
        on_disk_full=on_disk_full,
        evaluate_every_n_steps=eval_every,
        **evaluation,
        init_fn=_init_fn(logdir, train_op, settings),
        followers=_followers(summary_secs),
        config={**settings, **task.record()},
    )
    if recalibrate_batch_norm:
        _recalibrate(logdir, model, batches, recalibrate_batch_norm)


def _train_op(task: "Task", model: "slim.Module", settings: dict[str, Any]) -> "TrainOp":
    import slimcore as slim
    from slim_learning.optim.learning_rates import learning_rate
    from slim_learning.optim.named_optimizers import make

    smoothing = settings.get("label_smoothing") or 0

    def loss_fn(batch: Any) -> Any:
        logits, end_points = model(batch["image"], is_training=True)
        cross_entropy = slim.losses.sparse_softmax_cross_entropy
        cross_entropy(logits, batch["label"], label_smoothing=smoothing)
        if "AuxLogits" in end_points:
            cross_entropy(
                end_points["AuxLogits"],
                batch["label"],
                weights=AUXILIARY_WEIGHT,
                label_smoothing=smoothing,
            )
        return slim.losses.get_total_loss()

    examples = slim.data.get_dataset(task.dataset, settings["split"], task.dataset_dir).num_samples
    rate = learning_rate(settings, examples)
    return slim.learning.create_train_op(
        loss_fn,
        make(settings["optimizer"], rate, settings),
        variables_to_train=settings.get("trainable_scopes"),
        clip_gradient_norm=settings.get("clip_gradient_norm") or 0,
        gradient_multipliers=settings.get("gradient_multipliers"),
        jit_compile=bool(settings.get("jit")),
        accumulate_steps=settings.get("accumulate_steps") or 1,
        moving_average_decay=settings.get("moving_average_decay"),
        non_finite=settings.get("non_finite") or "stop",
    )


def _judged_by(metric: str | None, patience: int | None) -> dict[str, Any]:
    """Returns by which result a run knows its best checkpoint, and when it ends without one."""
    metric = metric or ("accuracy" if patience else None)
    best_of = "min" if metric and metric.endswith("loss") else "max"
    return {"keep_best": metric, "keep_best_of": best_of, "early_stopping": patience}


def _init_fn(logdir: str, train_op: "TrainOp", settings: dict[str, Any]) -> Any:
    """Returns what sets the first values of a new run, or None, and says which it is."""
    import slimcore.checkpoints as checkpoints
    from slim_learning.training_loop.fine_tuning import restoring

    path = settings.get("initial_checkpoint")
    if not path:
        return None
    if newest := checkpoints.latest(logdir):
        click.echo(
            f"{logdir} holds a run, which goes on from {newest}: --checkpoint {path} is not read "
            "again. For a new run, choose another --logdir"
        )
        return None
    return restoring(path, train_op.model_variables, settings, click.echo)


def _recalibrate(logdir: str, model: "slim.Module", batches: Any, count: int) -> None:
    """Puts averages over batches in place of the moving statistics of the last checkpoint."""
    from slim_learning.run import run_record as record
    from slim_learning.run.checkpoints import step_of
    from slim_learning.tasks import newest_checkpoint
    from slim_learning.training_loop.batch_norm_statistics import recalibrate, rewrite

    path = newest_checkpoint(logdir)
    averages = recalibrate(
        lambda batch: model(batch["image"], is_training=True), model.named_variables, batches, count
    )
    rewrite(path, averages)
    record.add_results(logdir, "recalibration", {"step": step_of(path), "batches": count})
    click.echo(f"{path} now holds {len(averages)} statistics averaged over {count} batches")


def _followers(summary_secs: float) -> list[Any]:
    from slim_learning.run.progress import Progress
    from slim_learning.run.run_record import Record
    from slim_learning.run.tensorboard import TensorBoard

    return [Progress(), TensorBoard(summary_secs), Record()]
