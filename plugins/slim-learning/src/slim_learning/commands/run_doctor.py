"""Looks into a run for what makes its evaluation differ from its training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

import slim_learning.run.run_record as record
import slim_learning.training_loop.batch_norm_statistics as statistics
from slim_learning.commands.setup import Setup, build, is_of_slim_train, newest, setup_of
from slim_learning.commands.task_metrics import metric_fn
from slim_learning.evaluate.metrics_runner import MetricEvaluation
from slim_learning.run.checkpoints import step_of
from slimcore.errors import DataError

# A larger share of the first values in the moving statistics is felt in evaluation.
LARGEST_SHARE = 0.1
# By how much the same examples may do worse with the moving statistics than with the batches': a
# difference of scores, of which more is better, and a ratio of losses and errors.
LARGEST_GAP, LARGEST_RATIO = 0.2, 2.0
BATCHES = 4


@dataclass
class Diagnosis:
    """What was looked at, and what is wrong, each in one line with its remedy."""

    facts: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def diagnose(logdir: str) -> Diagnosis:
    """Looks into a run's record and newest checkpoint.

    Of a run of `slim train`, the network is built, and evaluated on a few batches.

    Raises:
        RunError: There is no run in the folder.
        CheckpointError: Its checkpoint cannot be read, or does not fit its network.
    """
    found = record.read(logdir)
    path = newest(logdir)
    if path is None:
        return Diagnosis(
            troubles=[f"{logdir} holds no checkpoint yet. Run: slim train --logdir {logdir}"]
        )
    initial, count = statistics.at_initial_values(path)
    step = step_of(path)
    seen = Diagnosis([f"{path}: step {step:,}, {count} layers with moving statistics"])
    remedy = f"Run: slim train --logdir {logdir} --recalibrate-batch-norm 100"
    seen.troubles += _other_evaluations(found, logdir)
    if initial and step > 0:
        seen.troubles.append(
            f"after {step:,} steps the moving statistics of {len(initial)} of {count} layers are "
            f"still at their initial values, 0 and 1 (such as {initial[0]}): the training ran with "
            f"is_training=False, or left out the update ops. {remedy}"
        )
    if not is_of_slim_train(found):
        seen.facts.append("not made by slim train: the network is unknown, and was not evaluated")
    elif count and not initial:
        setup = setup_of(found, logdir)
        model = setup.model()
        build(model, setup.input_shape)
        model.restore(path)
        if found.get("results", {}).get("recalibration", {}).get("step") != step:
            seen.troubles += _slow_decay(setup, model, step, found, remedy)
        seen.troubles += _disagreement(setup, model, found, remedy)
    return seen


def _other_evaluations(found: Mapping[str, Any], logdir: str) -> Iterator[str]:
    for name, results in found.get("results", {}).items():
        for what in ("preprocessing", "image_size"):
            if what in results and results[what] != found.get(what):
                yield (
                    f"{name} used the {what.replace('_', ' ')} {results[what]}, and training "
                    f"{found.get(what)}. Run: slim eval --logdir {logdir}, without "
                    f"--{what.replace('_', '-')}"
                )


def _slow_decay(
    setup: Setup, model: Any, step: int, found: Mapping[str, Any], remedy: str
) -> Iterator[str]:
    images = tf.random.stateless_normal([4, *setup.input_shape[1:]], [1, 2])
    decays = statistics.decays(
        lambda images: model(images, is_training=True), model.named_variables, images
    )
    moves = step * (found.get("accumulate_steps") or 1)
    slow = {name: d for name, d in decays.items() if d < 1 and d**moves > LARGEST_SHARE}
    if slow:
        decay = max(slow.values())
        yield (
            f"the decay of the moving statistics is too slow: after {moves:,} steps {len(slow)} of "
            f"{len(decays)} still hold {decay**moves:.0%} of their first values (decay "
            f"{decay:.6g}). Train longer, or with a smaller decay. {remedy}"
        )


def _disagreement(setup: Setup, model: Any, found: Mapping[str, Any], remedy: str) -> Iterator[str]:
    metric, direction = next(iter(setup.task.best.items()))
    try:
        batches = setup.load(found["split"], found["batch_size"], shuffle=True, seed=0, cache=True)
        # The latter moves the statistics.
        in_evaluation, in_training = (
            setup.task.report(
                MetricEvaluation(metric_fn(setup, model, mode)).run(batches, BATCHES)
            )[metric]
            for mode in (False, True)
        )
    except DataError as error:
        yield f"the data cannot be read, so that the network was not evaluated: {error}"
        return
    if direction == "max":
        disagree = in_training - in_evaluation > LARGEST_GAP
    else:
        disagree = in_evaluation > LARGEST_RATIO * in_training
    if disagree:
        yield (
            f"training and evaluation disagree: on the same examples, the {metric} is "
            f"{in_training:.4g} with is_training=True, by the batch's statistics, and "
            f"{in_evaluation:.4g} with is_training=False, by the moving ones. {remedy}"
        )
