"""Every task of this repository: `nox -l` lists them. Environments are made by uv."""

import os
import shutil
import tarfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests"]
nox.needs_version = ">=2024.4.15"

# Hundreds of processes import TensorFlow, and each would compile it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# In the order of their dependencies.
PLUGINS = [
    f"plugins/slim-{name}"
    for name in ("layers", "losses", "metrics", "nets", "data", "learning", "classification")
]
TEST_TOOLS = ["pytest>=8", "pytest-xdist", "scikit-learn", "scipy", "mypy", "uv", "hatchling>=1.24"]
# The oldest and the newest Python and TensorFlow, without and with oneDNN's convolutions, which
# TensorFlow uses by default where the processor has AVX-512. Channels first exists only there.
OLDEST, NEWEST = ("3.10", "2.16.*", "0"), ("3.13", "2.21.*", "1")


def install(session: nox.Session, *tools: str) -> None:
    """Installs the core and the plugins of this checkout, and what the session needs."""
    here = [argument for path in [".", *PLUGINS] for argument in ("-e", path)]
    session.install(*here, *tools)


def pytest(session: nox.Session, *arguments: str, **environment: str) -> None:
    """Runs tests, in as many processes as there are cores, each file in one of them."""
    # In the order of the files, since those at the end would be the ones that start programs.
    options = ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder"]
    session.run("pytest", *options, *arguments, env={"TF_CPP_MIN_LOG_LEVEL": "2", **environment})


@nox.session
def demo(session: nox.Session) -> None:
    """Train LeNet on the bundled digits, evaluate it, predict, and export it."""
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
    # Most are in one file, a test for each network. It has processes of its own: TensorFlow keeps
    # half a gigabyte of each of the largest networks for as long as a process lives.
    networks = "plugins/slim-nets/tests/test_reference.py"
    for chosen in [session.posargs] if session.posargs else [[networks], [f"--ignore={networks}"]]:
        pytest(session, "--dist", "worksteal", "-m", "slow", *chosen)


@nox.session
@nox.parametrize("python, tensorflow, onednn", [OLDEST, NEWEST], ids=["oldest", "newest"])
def edges(session: nox.Session, tensorflow: str, onednn: str) -> None:
    """Run the tests on the oldest and the newest Python and TensorFlow that are supported."""
    install(session, f"tensorflow=={tensorflow}", *TEST_TOOLS)
    pytest(session, *(session.posargs or ["-m", "not slow"]), TF_ENABLE_ONEDNN_OPTS=onednn)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    install(session, "ruff", "mypy")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def stubs(session: nox.Session) -> None:
    """Write the names that plugins bring into the core's stubs."""
    install(session)
    session.run("python", "tools/stubs.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist of each distribution, and its wheel from that sdist, into dist/."""
    session.install("uv")
    shutil.rmtree("dist", ignore_errors=True)
    for project in [".", *PLUGINS]:
        session.run("uv", "build", "--quiet", "--out-dir", "dist", project)


@nox.session
def sdists(session: nox.Session) -> None:
    """Run the tests of each distribution from its sdist, with its own dependencies alone.

    Arguments after -- go to pytest; `dist=NAME` among them takes that distribution alone.
    """
    build(session)
    chosen = [a.removeprefix("dist=") for a in session.posargs if a.startswith("dist=")]
    options = [a for a in session.posargs if not a.startswith("dist=")] or ["-m", "not slow"]
    names = chosen or ["slimcore", *(Path(plugin).name for plugin in PLUGINS)]
    for name in names:
        folder = Path(session.create_tmp()).resolve() / name
        shutil.rmtree(folder, ignore_errors=True)
        (archive,) = Path("dist").glob(f"{name.replace('-', '_')}-*.tar.gz")
        with tarfile.open(archive) as sdist:
            sdist.extractall(folder, filter="data")
        (unpacked,) = folder.iterdir()
        environment = folder / "env"
        session.run("uv", "venv", "--quiet", str(environment))
        (wheel,) = Path("dist").glob(f"{name.replace('-', '_')}-*.whl")
        install = ["uv", "pip", "install", "--quiet", "--python", str(environment)]
        session.run(*install, "--find-links", "dist", f"{wheel}[test]")
        with session.chdir(unpacked):
            path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
            variables = {"TF_CPP_MIN_LOG_LEVEL": "2", "PATH": path}
            program = str(environment / "bin" / "pytest")
            session.run(program, "-q", *options, env=variables, external=True)
