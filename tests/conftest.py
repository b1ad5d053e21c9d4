"""What the tests that cross packages share: real distributions, written to disk and discovered."""

import importlib
import sys
import textwrap

import pytest

import slimcore.registry as registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Returns a function that installs a small plugin distribution on `sys.path`.

    `install("acme-layers", plugin="def slim_layers(): ...", modules={"acme.layers": "..."})`
    writes a `.dist-info` with its entry point, and the modules; each hook is marked for it.
    """
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    for variable in ("SLIM_PREFER", "SLIM_DISABLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(registry, "_prefer", {})
    monkeypatch.setattr(registry, "_disable", [])
    monkeypatch.setattr(registry, "_registered", {})

    def install(name, plugin, version="1.0.0", modules=None, requires=(), keywords="", site=None):
        site = tmp_path / (site or name)
        package = name.replace("-", "_")
        info = site / f"{package}-{version}.dist-info"
        info.mkdir(parents=True)
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        metadata += [f"Requires-Dist: {line}" for line in requires]
        metadata += [f"Keywords: {keywords}"] if keywords else []
        (info / "METADATA").write_text("\n".join(metadata) + "\n")
        (info / "entry_points.txt").write_text(f"[slimcore]\nplugin = {package}_plugin\n")
        source = "from slimcore import Offer, hookimpl\n\n" + textwrap.dedent(plugin)
        (site / f"{package}_plugin.py").write_text(source)
        for module, text in (modules or {}).items():
            (site / f"{module}.py").write_text(textwrap.dedent(text))
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        registry.rediscover()
        return site

    registry.rediscover()
    yield install
    for module in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[module], "__file__", None) or ""):
            del sys.modules[module]
    registry.rediscover()
