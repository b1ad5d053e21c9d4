"""Which names a scope holds."""

import pytest

from slimcore.scopes import prefixes, within


@pytest.mark.parametrize(
    "name, scopes, expected",
    [
        ("net/conv1/weights", "net/conv1", True),
        ("net/conv1/weights", "net/conv1/", True),
        ("net/conv1/weights", "net/conv1/weights", True),
        ("net/conv10/weights", "net/conv1", False),
        ("net/conv1/weights", "conv1", False),
        ("net", "net/conv1", False),
        ("net/a", ["other", "net"], True),
        ("net/a", [], False),
    ],
)
def test_a_scope_is_a_whole_leading_part_of_a_name(name, scopes, expected):
    assert within(name, scopes) is expected


def test_the_prefixes_of_names_are_all_their_scopes_and_themselves():
    assert prefixes(["a/b/c", "a/d"]) == {"a", "a/b", "a/b/c", "a/d"}
