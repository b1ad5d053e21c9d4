"""Every task of this repository: `nox -l` lists them. Environments are made by uv."""

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests"]
nox.needs_version = ">=2024.4.15"

# In the order of their dependencies.
PLUGINS = [
    f"plugins/slim-{name}" for name in ("layers", "losses", "metrics", "nets", "data", "learning")
]
TEST_TOOLS = ["pytest>=8", "pytest-xdist", "scikit-learn", "scipy", "uv", "hatchling>=1.24"]
OLDEST, NEWEST = ("3.10", "2.16.*"), ("3.13", "2.21.*")


def install(session: nox.Session, *tools: str) -> None:
    """Installs the core and the plugins of this checkout, and what the session needs."""
    here = [argument for path in [".", *PLUGINS] for argument in ("-e", path)]
    session.install(*here, *tools)


def pytest(session: nox.Session, *arguments: str) -> None:
    """Runs tests, in as many processes as there are cores, each file in one of them."""
    # In the order of the files, since those at the end would be the ones that start programs.
    options = ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder"]
    session.run("pytest", *options, *arguments, env={"TF_CPP_MIN_LOG_LEVEL": "2"})


@nox.session
def demo(session: nox.Session) -> None:
    """Train LeNet on the bundled digits, judge it, predict, and export it."""
    install(session)
    logdir = Path(session.create_tmp()).resolve() / "digits"
    export = logdir / "export"
    digit = "examples/images/seven.png"
    shutil.rmtree(logdir, ignore_errors=True)  # a run of an earlier demo would only be resumed
    session.run("slim", "train", "--net", "lenet", "--dataset", "digits", "--logdir", str(logdir))
    session.run("slim", "eval", "--logdir", str(logdir))
    session.run("slim", "predict", "--logdir", str(logdir), digit)
    session.run("slim", "export", "--logdir", str(logdir), "--to", str(export))
    session.run("python", "examples/use_export.py", str(export), digit)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test but the slow ones."""
    install(session, *TEST_TOOLS)
    pytest(session, *(session.posargs or ["-m", "not slow"]))


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that take long."""
    install(session, *TEST_TOOLS)
    # Most are in one file, a test for each network.
    pytest(session, "--dist", "worksteal", "-m", "slow", *session.posargs)


@nox.session
@nox.parametrize("python, tensorflow", [OLDEST, NEWEST], ids=["oldest", "newest"])
def edges(session: nox.Session, tensorflow: str) -> None:
    """Run the tests on the oldest and the newest Python and TensorFlow that are supported."""
    install(session, f"tensorflow=={tensorflow}", *TEST_TOOLS)
    pytest(session, *(session.posargs or ["-m", "not slow"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, and the types of the core."""
    install(session, "ruff", "mypy")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def stubs(session: nox.Session) -> None:
    """Write the names that plugins bring into the core's stubs."""
    install(session)
    session.run("python", "tools/stubs.py", *session.posargs)
