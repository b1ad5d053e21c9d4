"""Everything that can be wrong with a plugin: it is named, and everything else works."""

import sys

import pytest

import slimcore as slim
import slimcore.registry as registry
from slimcore.errors import (
    ComponentLoadError,
    ConflictError,
    PreferenceError,
    UnknownComponentError,
)

GOOD = """
@hookimpl
def slim_layers():
    return {"twice": "good_layers:twice"}
"""
GOOD_CODE = {"good_layers": "def twice(x):\n    '''Doubles.'''\n    return 2 * x\n"}


@pytest.fixture
def good(install):
    install("good-layers", GOOD, modules=GOOD_CODE)


def only_set_aside():
    (aside,) = registry.current().set_aside
    assert slim.twice(3) == 6, "the good plugin beside it works"
    return aside


def test_an_import_error_sets_the_plugin_aside(install, good):
    install("acme-layers", "import a_module_that_is_not_there")
    aside = only_set_aside()
    assert aside.distribution == "acme-layers"
    assert "ModuleNotFoundError: No module named 'a_module_that_is_not_there'" in aside.reason
    assert "pip uninstall acme-layers" in aside.remedy


def test_a_hook_that_raises_sets_the_whole_plugin_aside(install, good):
    install(
        "acme-layers",
        """
        @hookimpl
        def slim_layers():
            return {"acme": "acme:acme"}

        @hookimpl
        def slim_losses():
            raise RuntimeError("no licence")
        """,
    )
    assert "its hook slim_losses raised RuntimeError: no licence" in only_set_aside().reason
    assert not registry.current().offers("layer", "acme")


@pytest.mark.parametrize(
    "result, message",
    [
        ("['conv2d']", "slim_layers returned list, not a dict"),
        ("{'conv2d': 3}", "'conv2d': 3, and a layer is a name and a \"module:attribute\""),
        ("{'conv2d': 'a_module'}", "'a_module'"),
        ("{3: 'a:b'}", "slim_layers returned 3"),
        ("None", "returned NoneType"),
    ],
)
def test_a_hook_that_returns_the_wrong_thing_is_shown_with_it(install, good, result, message):
    install("acme-layers", f"@hookimpl\ndef slim_layers():\n    return {result}\n")
    assert message in only_set_aside().reason


def test_misspelled_hooks_are_all_named_with_the_nearest(install, good):
    install(
        "acme-layers",
        """
        @hookimpl
        def slim_layerz():
            return {}

        @hookimpl
        def slim_los():
            return {}
        """,
    )
    reason = only_set_aside().reason
    assert "slim_layerz. Close: slim_layers" in reason
    assert "slim_los. Close: slim_losses" in reason


def test_a_hook_with_an_unknown_argument_is_set_aside(install, good):
    install("acme-layers", "@hookimpl\ndef slim_run_started(rum): ...\n")
    assert "its hooks do not fit" in only_set_aside().reason
    assert "rum" in only_set_aside().reason


def test_a_target_that_does_not_exist_is_an_error_when_used(install, good):
    install(
        "acme-layers",
        """
        @hookimpl
        def slim_layers():
            return {"blur": "acme_blur:blurr", "gone": "nowhere:f"}
        """,
        modules={"acme_blur": "def blur(x): return x\n"},
    )
    with pytest.raises(ComponentLoadError, match=r"acme_blur has no 'blurr'. Close: blur"):
        _ = slim.blur
    with pytest.raises(ComponentLoadError, match=r"gone of acme-layers 1.0.0 \(nowhere:f\) cannot"):
        _ = slim.gone


@pytest.mark.parametrize("requirement", ["slimcore>=99", "slimcore (<0.0.1)", "Slimcore==7.*"])
def test_a_plugin_for_another_core_is_not_imported(install, good, requirement):
    install("acme-layers", "raise SystemExit('imported')", requires=["numpy", requirement])
    aside = only_set_aside()
    assert "it is for slimcore" in aside.reason
    assert f"this is slimcore {slim.__version__}" in aside.reason
    assert "pip install --upgrade acme-layers slimcore" in aside.remedy
    assert "acme_layers_plugin" not in sys.modules


def test_a_plugin_of_another_api_level_is_not_imported(install, good):
    install("acme-layers", "raise SystemExit('imported')", keywords="vision,slimcore-api-99")
    assert "plugin API 99, and this core serves 0 and 1" in only_set_aside().reason


@pytest.mark.parametrize("level", [0, 1])
def test_the_present_and_the_previous_api_level_are_served(install, level):
    install("good-layers", GOOD, modules=GOOD_CODE, keywords=f"slimcore-api-{level}")
    assert slim.twice(1) == 2


@pytest.fixture
def rivals(install):
    for name in ("acme-layers", "best-layers"):
        module = name.replace("-", "_")
        install(
            name,
            f'@hookimpl\ndef slim_layers():\n    return {{"blur": "{module}:blur"}}\n',
            modules={module: f"def blur(x): return '{name}'\n"},
        )


def test_two_distributions_of_one_name_are_an_error_that_lists_both(rivals):
    with pytest.raises(ConflictError) as caught:
        _ = slim.blur
    message = str(caught.value)
    assert "blur of acme-layers 1.0.0 (acme_layers:blur)" in message
    assert "blur of best-layers 1.0.0 (best_layers:blur)" in message
    assert "slim.prefer('blur', 'acme-layers')" in message


def test_code_resolves_a_conflict(rivals):
    slim.prefer("blur", "best-layers")
    assert slim.blur(0) == "best-layers"


@pytest.mark.parametrize("name", ["blur", "layer:blur"])
def test_the_environment_resolves_a_conflict(rivals, monkeypatch, name):
    monkeypatch.setenv("SLIM_PREFER", f"other=x, {name} = Best_Layers")
    registry.rediscover()
    assert slim.blur(0) == "best-layers"


def test_pyproject_resolves_a_conflict(rivals, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.slim]\nprefer = {blur = "best-layers"}\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    registry.rediscover()
    assert slim.blur(0) == "best-layers"


def test_code_wins_over_the_environment_and_that_over_pyproject(rivals, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.slim]\nprefer = {blur = "nobody"}\n')
    monkeypatch.setenv("SLIM_PREFER", "blur=best-layers")
    registry.rediscover()
    assert slim.blur(0) == "best-layers"
    slim.prefer("blur", "acme-layers")
    assert slim.blur(0) == "acme-layers"


def test_a_qualified_name_always_works(rivals):
    assert slim.lookup("layer", "best-layers:blur")(0) == "best-layers"
    assert slim.component("layer", "acme-layers:blur").qualified == "acme-layers:blur"
    with pytest.raises(
        UnknownComponentError,
        match="no installed plugin is named 'best-layer', .*Close: best-layers",
    ):
        slim.component("layer", "best-layer:blur")


def test_one_distribution_seen_twice_is_no_conflict(install):
    install("good-layers", GOOD, modules=GOOD_CODE)
    install("good-layers", GOOD, version="0.9.0", modules=GOOD_CODE, site="leftover")
    assert slim.twice(2) == 4
    assert len([c for c in slim.components("layer") if c.name == "twice"]) == 1


@pytest.mark.parametrize(
    "wanted, message",
    [
        ("ghost-layers", r"of ghost-layers, which is not installed.*pip install ghost-layers"),
        ("slimcore", r"of slimcore, which does not offer it"),
    ],
)
def test_a_preference_that_cannot_be_met_is_an_error(install, good, wanted, message):
    slim.prefer("twice", wanted)
    with pytest.raises(PreferenceError, match=message):
        _ = slim.twice


def test_a_preference_for_a_plugin_that_is_set_aside_says_so(install, good):
    install("acme-layers", "1 / 0")
    slim.prefer("twice", "acme-layers")
    with pytest.raises(PreferenceError, match=r"which is set aside \(slim doctor says why\)"):
        _ = slim.twice


@pytest.mark.parametrize("how", ["code", "environment", "pyproject"])
def test_a_plugin_switched_off_is_not_imported(install, good, how, tmp_path, monkeypatch):
    install("acme-layers", "raise SystemExit('imported')")
    if how == "code":
        slim.disable("acme-layers")
    elif how == "environment":
        monkeypatch.setenv("SLIM_DISABLE", "acme_layers")
    else:
        (tmp_path / "pyproject.toml").write_text('[tool.slim]\ndisable = ["acme-layers"]\n')
    registry.rediscover()
    assert "switched off by" in only_set_aside().reason


def test_a_name_of_a_first_party_package_says_what_to_install(install):
    slim.disable("slim-layers")
    with pytest.raises(UnknownComponentError, match=r"'conv2d' comes with slim-layers"):
        _ = slim.conv2d


def test_a_name_that_is_nearly_right_gets_the_nearest(install, good):
    with pytest.raises(UnknownComponentError, match=r"has no 'twise'. Close: twice") as caught:
        _ = slim.twise
    assert "Looked in" in str(caught.value)
    assert "good-layers 1.0.0" in str(caught.value)
    with pytest.raises(UnknownComponentError, match=r"no layer is named 'twise'. Close: twice"):
        slim.lookup("layer", "twise")


def test_an_unknown_kind_gets_the_nearest():
    with pytest.raises(UnknownComponentError, match="'decodr'. Close: decoder"):
        slim.lookup("decodr", "image/png")
    with pytest.raises(UnknownComponentError, match="'lair'"):
        _ = slim.register_lair


@pytest.mark.parametrize(
    "text, message",
    [
        ('[tool.slim]\nprefer = ["conv2d"]\n', "write a table of names to distributions"),
        ('[tool.slim]\ndisable = "acme"\n', "write a list of distributions"),
        ('[tool.slim]\nprefr = {conv2d = "acme"}\n', "has 'prefr'. Close: prefer. It may have"),
        ("[tool.slim\n", "cannot be read for"),
        ("x = " + "[" * 100_000, "cannot be read for"),
        ("tool = 3\n", "tool in .* is 3; write a table"),
        ("[[tool]]\nslim = 1\n", "tool in .* is .*'slim': 1.*; write a table"),
        ("[tool]\nslim = []\n", "slim in .* is .*; write a table"),
    ],
)
def test_a_pyproject_that_cannot_be_read_is_named(install, tmp_path, text, message):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(PreferenceError, match=message) as caught:
        slim.components()
    assert str(tmp_path / "pyproject.toml") in str(caught.value)


def test_a_pyproject_that_begins_with_a_byte_order_mark_is_read(install, tmp_path):
    text = '\ufeff[tool.slim]\nprefer = "conv2d"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PreferenceError, match="prefer in .* is 'conv2d'; write a table"):
        slim.components()


def test_a_present_folder_that_was_deleted_has_no_pyproject(install, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert slim.components()


def test_an_environment_that_cannot_be_read_is_named(install, monkeypatch):
    monkeypatch.setenv("SLIM_PREFER", "conv2d")
    with pytest.raises(PreferenceError, match="SLIM_PREFER holds 'conv2d'; write NAME=DISTRIB"):
        slim.components()
