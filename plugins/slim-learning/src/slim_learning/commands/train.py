"""`slim train`."""

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import click

from slim_learning.commands.options import Command
from slim_learning.commands.train_options import train_options
from slimcore.text import shown

if TYPE_CHECKING:
    import slimcore as slim
    from slim_learning.commands.setup import Setup
    from slim_learning.commands.train_config import LoopOptions, TrainConfig
    from slim_learning.task import Task
    from slim_learning.training_loop.train_op import TrainOp


@click.command(cls=Command)
@train_options
def train(logdir: str, **asked: Any) -> None:
    """Train a network on a dataset; run again, continue from the newest checkpoint.

    Options you omit keep the run's current value, or else the default shown. Ctrl-C and SIGTERM
    save a checkpoint first. The names of research/slim's flags are accepted too, such as
    --model_name.
    """
    if (asked["keep_best"] or asked["early_stopping"]) and not asked["eval_every"]:
        raise click.UsageError("--keep-best and --early-stopping go with --eval-every")
    from slim_learning.commands.train_config import LoopOptions, train_config

    options = LoopOptions(**{f.name: asked.pop(f.name) for f in fields(LoopOptions)})
    run(logdir, train_config(logdir, asked), options)


def run(logdir: str, config: "TrainConfig", options: "LoopOptions") -> None:
    """Trains as configured, in a folder."""
    import tensorflow as tf

    import slimcore as slim
    from slim_learning.commands.setup import new_setup
    from slim_learning.commands.task_metrics import evaluate_fn
    from slim_learning.training_loop.batch_norm_statistics import statistics_of

    setup = new_setup(
        config.network,
        config.dataset,
        config.dataset_dir,
        config.split,
        config.preprocessing,
        config.image_size,
        config.task,
        config.options_of_task,
    )
    evaluation = _best(setup.task, options)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(config.seed)
    model = setup.model(config.weight_decay, config.precision)
    train_op = _train_op(setup, model, config)
    batches = setup.load(
        config.split,
        config.batch_size,
        is_training=True,
        seed=config.seed,
        skip_corrupt=config.skip_corrupt,
    )
    train_op.build(batches.element_spec)
    if options.recalibrate_batch_norm:
        statistics_of(train_op.model_variables)  # complains where there are none
    if options.eval_every:
        held_out = setup.load(options.eval_split, 100, skip_corrupt=config.skip_corrupt)
        evaluation["evaluate_fn"] = evaluate_fn(setup, model, train_op, held_out)
    slim.learning.train(
        train_op,
        logdir,
        dataset=batches,
        number_of_steps=config.number_of_steps,
        log_every_n_steps=options.log_every,
        save_interval_secs=options.save_secs,
        save_interval_steps=options.save_steps,
        keep_checkpoints=options.keep,
        keep_checkpoint_every_n_hours=options.keep_every_hours,
        on_disk_full=options.on_disk_full,
        evaluate_every_n_steps=options.eval_every,
        **evaluation,
        init_fn=_init_fn(logdir, train_op, config),
        followers=_followers(options.summary_secs),
        config={**config.recorded(), **setup.record()},
    )
    if options.recalibrate_batch_norm:
        _recalibrate(logdir, model, batches, options.recalibrate_batch_norm)


def _train_op(setup: "Setup", model: "slim.Module", config: "TrainConfig") -> "TrainOp":
    import slimcore as slim
    from slim_learning.optim.learning_rates import learning_rate
    from slim_learning.optim.named_optimizers import make

    def loss_fn(batch: Any) -> Any:
        outputs, end_points = model(batch["image"], is_training=True)
        loss = setup.task.loss(batch, outputs, end_points)
        return loss + slim.losses.get_regularization_loss()

    described = slim.data.get_dataset(setup.dataset, config.split, setup.dataset_dir)
    settings = asdict(config)
    rate = learning_rate(settings, described.num_samples)
    return slim.learning.create_train_op(
        loss_fn,
        make(config.optimizer, rate, settings),
        variables_to_train=config.trainable_scopes,
        clip_gradient_norm=config.clip_gradient_norm,
        gradient_multipliers=config.gradient_multipliers,
        jit_compile=config.jit,
        accumulate_steps=config.accumulate_steps,
        moving_average_decay=config.moving_average_decay,
        non_finite=config.non_finite,
    )


def _best(task: "Task", options: "LoopOptions") -> dict[str, Any]:
    """Returns by which result a run knows its best checkpoint, and when it ends without one.

    Raises:
        InputError: The task has no such result.
    """
    from slim_learning.task import AVERAGED
    from slimcore.errors import InputError, close

    metric = options.keep_best or (next(iter(task.best)) if options.early_stopping else None)
    if metric is None:
        return {"early_stopping": options.early_stopping}
    known = {name: direction for n, direction in task.best.items() for name in (n, AVERAGED + n)}
    if metric not in known:
        raise InputError(
            f"--keep-best names {metric!r}, which is not a result of this task"
            f"{close(metric, known)}. It has {', '.join(task.best)}, and with averaged/ before "
            "them those of the "
            "averaged weights"
        )
    best_of = known[metric]
    return {"keep_best": metric, "keep_best_of": best_of, "early_stopping": options.early_stopping}


def _init_fn(logdir: str, train_op: "TrainOp", config: "TrainConfig") -> Any:
    """Returns what sets the first values of a new run, or None, and says which it is."""
    from slim_learning.commands.setup import newest
    from slim_learning.training_loop.fine_tuning import restoring

    path = config.initial_checkpoint
    if not path:
        return None
    if found := newest(logdir):
        _say(
            f"{logdir} holds a run, which goes on from {found}: --checkpoint {path} is not read "
            "again. For a new run, choose another --logdir"
        )
        return None
    return restoring(path, train_op.model_variables, asdict(config), _say)


def _recalibrate(logdir: str, model: "slim.Module", batches: Any, count: int) -> None:
    """Puts averages over batches in place of the moving statistics of the last checkpoint."""
    from slim_learning.commands.setup import newest_checkpoint
    from slim_learning.run import run_record
    from slim_learning.run.checkpoints import step_of
    from slim_learning.training_loop.batch_norm_statistics import recalibrate, rewrite

    path = newest_checkpoint(logdir)
    averages = recalibrate(
        lambda batch: model(batch["image"], is_training=True), model.named_variables, batches, count
    )
    rewrite(path, averages)
    run_record.add_results(logdir, "recalibration", {"step": step_of(path), "batches": count})
    _say(f"{path} now holds {len(averages)} statistics averaged over {count} batches")


def _say(text: str) -> None:
    """Prints lines, in which names of files and variables are shown as they are."""
    for line in text.split("\n"):
        click.echo(shown(line))


def _followers(summary_secs: float) -> list[Any]:
    from slim_learning.run.progress import Progress
    from slim_learning.run.run_record import RunRecord
    from slim_learning.run.tensorboard import TensorBoard

    return [Progress(), TensorBoard(summary_secs), RunRecord()]
