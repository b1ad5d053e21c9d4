"""`slim info`, and the tables that plugins add to it."""

import pytest
from click.testing import CliRunner

from slimcore.cli import program
from slimcore.errors import InputError

PLUGIN = """
    from slimcore.hooks import Table

    @hookimpl
    def slim_nets():
        return {"acme_net": Offer("acme_net:acme_net", "A net.", {"image_size": 8})}

    @hookimpl
    def slim_component_tables(component, image_size):
        if component.kind != "net":
            return []
        size = image_size or component.details["image_size"]
        return [Table(["layer", "size"], [["first", size], ["second", None]])]
"""


@pytest.fixture
def acme(install):
    install("acme", PLUGIN, modules={"acme_net": "def acme_net(images): return images\n"})


def info(*arguments):
    return CliRunner().invoke(program, ["info", *arguments])


def test_a_plugin_adds_a_table(acme):
    assert info("acme_net", "--image-size", "32").stdout.splitlines() == [
        "net acme_net(images)",
        "  A net.",
        "  from acme 1.0.0, acme_net:acme_net",
        "  image size: 8",
        "",
        "layer   size",
        "first     32",
        "second",
    ]


def test_a_component_that_a_plugin_has_nothing_to_say_of_has_no_table(acme):
    assert len(info("doctor").stdout.splitlines()) == 3


def test_a_table_that_cannot_be_made_is_told_and_the_others_are_shown(acme, install):
    install("bad", "@hookimpl\ndef slim_component_tables(component):\n    return 1 / 0\n")
    result = info("acme_net")
    assert result.exit_code == 0
    assert "bad:plugin cannot describe it further: ZeroDivisionError" in result.stderr
    assert result.stdout.endswith("first      8\nsecond\n")


def test_a_mistake_of_the_user_is_an_error(install):
    install(
        "acme",
        """
        from slimcore.errors import InputError

        @hookimpl
        def slim_component_tables(image_size):
            raise InputError(f"{image_size} pixels are too few")
        """,
    )
    assert isinstance(info("doctor", "--image-size", "3").exception, InputError)
