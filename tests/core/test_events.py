"""What happens in a run reaches every plugin that follows it, and a faulty one harms nobody."""

import contextlib
import warnings

import pytest

import slimcore as slim
import slimcore.events as events

RUN = events.Run("train", "runs/x", number_of_steps=10)


class Follower:
    def __init__(self):
        self.seen = []

    @slim.hookimpl
    def slim_run_started(self, run):
        self.seen.append(("started", run.number_of_steps))

    @slim.hookimpl
    def slim_scalars_logged(self, step, scalars):
        self.seen.append(("logged", step, scalars["loss"]))


class Faulty:
    def __init__(self):
        self.calls = []

    @slim.hookimpl
    def slim_scalars_logged(self, step):
        self.calls.append(step)
        if step < 3:
            raise OSError("disk full")

    @slim.hookimpl
    def slim_run_ended(self, status):
        self.calls.append(status)
        raise ValueError("no such thing")


def test_a_follower_receives_the_arguments_that_it_names():
    follower = Follower()
    with events.followed_by(follower):
        events.tell("slim_run_started", run=RUN)
        events.tell("slim_scalars_logged", run=RUN, step=3, scalars={"loss": 0.5})
    events.tell("slim_run_started", run=RUN)
    assert follower.seen == [("started", 10), ("logged", 3, 0.5)]


def log(step):
    events.tell("slim_scalars_logged", run=RUN, step=step, scalars={"loss": 1.0})


def test_a_follower_that_raises_is_reported_once_for_each_hook_and_hears_what_comes_later():
    faulty, follower = Faulty(), Follower()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with events.following(RUN, [follower, faulty]):
            for step in (1, 2, 3):
                log(step)
    assert faulty.calls == [1, 2, 3, "completed"]
    assert [event[1] for event in follower.seen] == [10, 1, 2, 3]
    assert [str(w.message).partition(". ")[0] for w in caught] == [
        "the hook slim_scalars_logged of Faulty raised OSError: disk full",
        "the hook slim_run_ended of Faulty raised ValueError: no such thing",
    ]


def test_an_error_is_reported_again_in_the_next_run():
    faulty = Faulty()
    for _ in range(2):
        with events.followed_by(faulty), pytest.warns(RuntimeWarning, match="OSError: disk full"):
            log(1)


class Told:
    def __init__(self):
        self.seen = []

    @slim.hookimpl
    def slim_run_started(self, run):
        self.seen.append(run.kind)

    @slim.hookimpl
    def slim_run_ended(self, status, results):
        self.seen.append((status, results))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "completed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(143), "interrupted"),
        (ValueError("no"), "failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_start_of_a_run_is_told_and_its_end_with_a_status(error, status):
    told = Told()
    ends = contextlib.nullcontext() if error is None else pytest.raises(type(error))
    with ends, events.following(RUN, [told]) as results:
        results["loss"] = 0.5
        if error is not None:
            raise error
    assert told.seen == ["train", (status, {"loss": 0.5})]


def test_an_installed_plugin_follows_every_run(install):
    install(
        "acme",
        """
        seen = []

        @hookimpl
        def slim_checkpoint_saved(path, step):
            seen.append((path, step))
        """,
    )
    events.tell("slim_checkpoint_saved", run=RUN, step=7, path="runs/x/model.ckpt-7")
    import acme_plugin

    assert acme_plugin.seen == [("runs/x/model.ckpt-7", 7)]
