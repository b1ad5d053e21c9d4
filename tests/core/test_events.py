"""What happens in a run reaches every plugin that follows it, and a faulty one harms nobody."""

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
    calls = 0

    @slim.hookimpl
    def slim_scalars_logged(self, step):
        self.calls += 1
        raise OSError("disk full")


def test_a_follower_receives_the_arguments_that_it_names():
    follower = Follower()
    with events.followed_by(follower):
        events.tell("slim_run_started", run=RUN)
        events.tell("slim_scalars_logged", run=RUN, step=3, scalars={"loss": 0.5})
    events.tell("slim_run_started", run=RUN)
    assert follower.seen == [("started", 10), ("logged", 3, 0.5)]


def test_a_follower_that_raises_is_reported_once_and_disturbs_nobody():
    faulty, follower = Faulty(), Follower()
    with events.followed_by(follower, faulty):
        message = "Faulty no longer follows .* slim_scalars_logged raised OSError: disk full"
        with pytest.warns(RuntimeWarning, match=message):
            events.tell("slim_scalars_logged", run=RUN, step=1, scalars={"loss": 1.0})
        events.tell("slim_scalars_logged", run=RUN, step=2, scalars={"loss": 0.5})
    assert faulty.calls == 1
    assert [step for _, step, _ in follower.seen] == [1, 2]


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
