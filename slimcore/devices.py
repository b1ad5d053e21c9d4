"""Chooses the devices of variables in a graph."""

from typing import Any

import tensorflow as tf


class VariableDeviceChooser:
    """Deals variables out to the tasks of a job, one after another.

    An object of this class is a device function, for `tf.compat.v1.device` or for the argument
    `device` of `slim.variable`.
    """

    def __init__(
        self,
        num_tasks: int = 0,
        job_name: str = "ps",
        device_type: str = "CPU",
        device_index: int = 0,
        replica: int | None = None,
    ) -> None:
        """Keeps what the devices have in common.

        Args:
            num_tasks: Tasks to deal to; with 0, all variables go to one device of this process.
            job_name: The job of these tasks.
            device_type: "CPU" or "GPU".
            device_index: Which device of this type.
            replica: The replica of the job.
        """
        self._num_tasks = num_tasks
        self._job = job_name if num_tasks else None
        self._device_type = device_type
        self._device_index = device_index
        self._replica = replica
        self._next_task = 0

    def __call__(self, op: Any) -> str:
        """Returns the device of an op that makes a variable, and moves on to the next task."""
        task = None
        if self._num_tasks:
            task = self._next_task
            self._next_task = (task + 1) % self._num_tasks
        spec = tf.DeviceSpec(
            job=self._job,
            replica=self._replica,
            task=task,
            device_type=self._device_type,
            device_index=self._device_index,
        )
        return spec.to_string()
