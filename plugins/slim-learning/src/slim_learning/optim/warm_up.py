"""Learning rates over the steps of a run: what Keras' schedules lack."""

from typing import Any

import tensorflow as tf


class WarmUp(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose rates rise linearly over the first steps."""

    def __init__(self, schedule: Any, steps: int) -> None:
        """Keeps a rate or schedule, and over how many steps it rises."""
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        step = tf.cast(step, tf.float32)
        rate = self.schedule(step) if callable(self.schedule) else self.schedule
        return tf.cast(rate, tf.float32) * tf.minimum(1.0, (step + 1) / max(self.steps, 1))

    def get_config(self) -> dict[str, Any]:
        schedule = self.schedule
        if callable(schedule):
            schedule = tf.keras.optimizers.schedules.serialize(schedule)
        return {"schedule": schedule, "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WarmUp":
        schedule = config["schedule"]
        if isinstance(schedule, dict):
            schedule = tf.keras.optimizers.schedules.deserialize(schedule)
        return cls(schedule, config["steps"])


def warm_up(schedule: Any, steps: int) -> WarmUp:
    """Lets a learning rate rise linearly over the first steps.

    The rate of step s is `schedule(s) * min(1, (s + 1) / steps)`.

    Args:
        schedule: A number, or a schedule of `tf.keras.optimizers.schedules`.
        steps: How many; 0 changes nothing.

    Returns:
        A schedule for any Keras optimizer. One of `tf.compat.v1.train` takes
        `lambda: schedule(slim.get_global_step())`.

    Paper: Goyal et al., "Accurate, Large Minibatch SGD", 2017, arXiv:1706.02677, section 2.2.
    """
    return WarmUp(schedule, steps)
