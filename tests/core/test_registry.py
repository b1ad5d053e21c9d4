"""Discovery, names, provenance and run-time registration."""

import importlib
import subprocess
import sys

import pytest

import slimcore as slim
import slimcore.registry as registry
from slimcore._discovery import HOOK_OF_KIND
from slimcore.errors import ConflictError


def test_importing_and_listing_names_imports_no_tensorflow():
    code = (
        "import sys, slimcore; dir(slimcore); slimcore.components(); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_plugin_offers_every_kind_where_it_belongs(install):
    install(
        "acme",
        """
        @hookimpl
        def slim_layers(): return {"acme_layer": "acme_code:thing"}
        @hookimpl
        def slim_regularizers(): return {"acme_regularizer": "acme_code:thing"}
        @hookimpl
        def slim_initializers(): return {"acme_initializer": "acme_code:thing"}
        @hookimpl
        def slim_data_providers(): return {"acme_provider": "acme_code:thing"}
        @hookimpl
        def slim_losses(): return {"acme_loss": "acme_code:thing"}
        @hookimpl
        def slim_metrics(): return {"acme_metric": "acme_code:thing"}
        @hookimpl
        def slim_nets(): return {"acme_net": Offer("acme_code:thing", "A net.", {"size": 7})}
        @hookimpl
        def slim_datasets(): return {"acme_dataset": "acme_code:thing"}
        @hookimpl
        def slim_decoders(): return {"image/acme": "acme_code:thing"}
        @hookimpl
        def slim_preprocessing(): return {"acme_preprocessing": "acme_code:thing"}
        @hookimpl
        def slim_tasks(): return {"acme_task": "acme_code:thing"}
        @hookimpl
        def slim_namespaces(): return {"acme": "acme_code", "nets.acme": "acme_code"}
        @hookimpl
        def slim_commands(): return {"acme": "acme_code:thing"}
        """,
        modules={"acme_code": "def thing(): return 'thing'\nother = 'other'\n"},
    )
    assert registry.current().set_aside == ()
    in_slim = ["acme_layer", "acme_regularizer", "acme_initializer", "acme_provider"]
    found = [getattr(slim, name) for name in in_slim]
    found += [slim.losses.acme_loss, slim.metrics.acme_metric, slim.nets.acme_net]
    found += [
        slim.lookup(kind, name)
        for kind, name in [
            ("dataset", "acme_dataset"),
            ("decoder", "image/acme"),
            ("preprocessing", "acme_preprocessing"),
            ("task", "acme_task"),
            ("command", "acme"),
        ]
    ]
    assert [f() for f in found] == ["thing"] * 12
    offered = {c.kind for c in slim.components() if c.distribution == "acme"}
    assert offered == set(HOOK_OF_KIND)
    assert slim.acme is importlib.import_module("acme_code")
    assert slim.nets.acme.other == "other"
    assert {"acme", "acme_layer", "losses"} <= set(dir(slim))
    assert {"acme", "acme_net"} <= set(dir(slim.nets))
    net = slim.component("net", "acme_net")
    assert (net.distribution, net.version, net.target) == ("acme", "1.0.0", "acme_code:thing")
    assert (net.summary, net.details) == ("A net.", {"size": 7})


def test_a_component_is_imported_when_first_used(install):
    install(
        "acme",
        '@hookimpl\ndef slim_layers():\n    return {"late": "acme_late:late"}\n',
        modules={"acme_late": "def late(): return 1\n"},
    )
    assert "late" in dir(slim)
    assert "acme_late" not in sys.modules
    assert slim.late() == 1
    assert "acme_late" in sys.modules


def test_the_core_offers_its_commands_by_the_same_door():
    assert slim.component("command", "list").distribution == "slimcore"


def test_a_function_registered_at_run_time_is_there(install):
    @slim.register_layer
    def thrice(x):
        """Triples."""
        return 3 * x

    @slim.register_decoder("image/tripled")
    def decode(contents, channels=0):
        return contents

    assert slim.thrice(2) == 6
    assert slim.lookup("decoder", "image/tripled") is decode
    record = slim.component("layer", "thrice")
    assert (record.distribution, record.summary) == ("run-time", "Triples.")
    assert record.target.startswith(f"{__name__}:")


def test_registering_again_replaces_the_earlier_function(install):
    slim.register_layer("again")(lambda: 1)
    assert slim.again() == 1
    slim.register_layer("again")(lambda: 2)
    assert slim.again() == 2


def test_a_run_time_name_that_a_plugin_has_is_a_conflict(install):
    slim.register_command("list")(lambda: "mine")
    with pytest.raises(ConflictError, match="list of run-time"):
        slim.lookup("command", "list")
    slim.prefer("list", "run-time")
    assert slim.lookup("command", "list")() == "mine"
