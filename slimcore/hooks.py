"""What a plugin may implement: the contract between `slimcore` and everyone else.

A distribution names a plugin module in the entry-point group `slimcore`:

    [project.entry-points.slimcore]
    acme = "acme_vision.plugin"

and the module implements some of the hooks below, marked with `slimcore.hookimpl`:

    from slimcore import hookimpl

    @hookimpl
    def slim_layers():
        return {"blur_pool": "acme_vision.pooling:blur_pool"}

The first group of hooks *offers components*. Each takes nothing and returns a dict from a name to
where the thing is, `"module:attribute"` (or `"module"`, for a namespace); an `Offer` in place of
the string adds facts that can be listed without importing the thing. The hook runs on discovery,
so the plugin module imports nothing heavy; the component itself is imported when first used.

One hook *describes a component* further, for `slim info`.

The last group *follows a run*. Each implementation takes the arguments it wants, by name. What
it returns is ignored, and an error in it is reported once and does not disturb the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

from slimcore._component import Component

hookspec = pluggy.HookspecMarker("slimcore")
hookimpl = pluggy.HookimplMarker("slimcore")

PLUGIN_API = 1
"""The level of this contract. A plugin may state the one that it was written for with a keyword in
its metadata, `keywords = ["slimcore-api-1"]`. This level and the one before it are served."""


@dataclass(frozen=True)
class Offer:
    """A component's place, with what can be said of it before it is imported.

    Attributes:
        target: `"module:attribute"`, or `"module"` for a namespace.
        summary: One line for listings.
        details: Further facts for listings, such as a network's number of parameters.
    """

    target: str
    summary: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


Offers = Mapping[str, str | Offer]


# What a plugin offers.


@hookspec
def slim_layers() -> Offers:
    """Offers layers, functions of a tensor that may own variables: `slim.<name>`."""


@hookspec
def slim_regularizers() -> Offers:
    """Offers makers of regularizers, functions from weights to a scalar loss: `slim.<name>`."""


@hookspec
def slim_initializers() -> Offers:
    """Offers makers of initializers, functions of a shape and a dtype: `slim.<name>`."""


@hookspec
def slim_losses() -> Offers:
    """Offers losses, which return a scalar and add it to the losses: `slim.losses.<name>`."""


@hookspec
def slim_metrics() -> Offers:
    """Offers streaming metrics, which return `(value, update)`: `slim.metrics.<name>`."""


@hookspec
def slim_nets() -> Offers:
    """Offers networks, `fn(images, num_classes, is_training, …) -> (logits, end_points)`.

    They appear as `slim.nets.<name>`, and by name in `slim train --net`. The function has an
    attribute `default_image_size`, in pixels, and may have `arg_scope`, a function
    `(weight_decay=…)` that returns the scope to build it in.
    """


@hookspec
def slim_data_providers() -> Offers:
    """Offers data providers, which read a dataset in a graph: `slim.<name>`."""


@hookspec
def slim_datasets() -> Offers:
    """Offers datasets by name: `get_split(split_name, dataset_dir=None) -> Dataset`."""


@hookspec
def slim_decoders() -> Offers:
    """Offers decoders by format, such as `image/png`.

    A decoder is `decode(contents, channels=0) -> images`: from a scalar string tensor to a
    uint8 tensor [height, width, channels]; 0 channels means as many as the image has.
    """


@hookspec
def slim_preprocessing() -> Offers:
    """Offers preprocessing of images for a network.

    A preprocessing is `fn(image, height, width, is_training) -> image`: from uint8 [h, w, channels]
    to float32 [height, width, channels].
    """


@hookspec
def slim_tasks() -> Offers:
    """Offers tasks, by name in `slim train --task`: what a network learns of a dataset.

    A task is a subclass of `slim_learning.Task`: it says which items of an example it takes, what
    its loss and its streaming metrics are, what a prediction is, and what a report shows.
    """


@hookspec
def slim_namespaces() -> Offers:
    """Offers modules under `slim`: `{"learning": "slim_learning.learning"}`; dots nest."""


@hookspec
def slim_commands() -> Offers:
    """Offers `click` commands of the program `slim`, each an `Offer` with a summary."""


# What a plugin may tell of a component.


@dataclass(frozen=True)
class Table:
    """A table for `slim info`, whose columns but the first are set to the right.

    Attributes:
        columns: The heading of each column.
        rows: A cell for each column; None is left empty.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@hookspec
def slim_component_tables(component: Component, image_size: int | None) -> Sequence[Table]:
    """Describes a component further, such as a network by its layers, for `slim info`.

    Asked of every plugin for every component shown, whoever offers it. An implementation returns
    no table where it has nothing to say, which it finds out before it imports anything heavy.

    Args:
        component: The component; `component.load()` imports it.
        image_size: The height and width of the images to describe it for, in pixels; None for its
            own.
    """


# What a plugin may follow.


@dataclass(frozen=True)
class Run:
    """One training or evaluation.

    Attributes:
        kind: "train" or "eval".
        logdir: The folder it writes to.
        number_of_steps: The step at which it ends, or None where that is open.
        first_step: The step it starts from; above 0 where it resumes.
        config: What it was asked to do, for its record: network, dataset, seed, ….
    """

    kind: str
    logdir: str
    number_of_steps: int | None = None
    first_step: int = 0
    config: dict[str, Any] = field(default_factory=dict)


@hookspec
def slim_run_started(run: Run) -> None:
    """A run has begun: its kind ("train", "eval"), folder, configuration and first step."""


@hookspec
def slim_scalars_logged(run: Run, step: int, scalars: Mapping[str, float]) -> None:
    """Scalars of step `step` have been read back, such as `{"loss": 0.31, "examples/s": 812.0}`."""


@hookspec
def slim_checkpoint_saved(run: Run, step: int, path: str) -> None:
    """A checkpoint is complete on disk at the prefix `path`."""


@hookspec
def slim_evaluation_done(run: Run, step: int, results: Mapping[str, Any]) -> None:
    """The checkpoint of step `step` has been evaluated."""


@hookspec
def slim_run_ended(run: Run, status: str, results: Mapping[str, Any]) -> None:
    """A run is over: status "completed", "interrupted" or "failed", and its last results."""
