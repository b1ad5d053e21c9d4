"""Foreign text is shown, never obeyed."""

import pytest

from slimcore.text import shown


@pytest.mark.parametrize(
    "text, expected",
    [
        ("cat", "cat"),
        ("Grüße, 猫 🐈", "Grüße, 猫 🐈"),
        ("a\\b $\\frac$ [red]x[/red]", "a\\b $\\frac$ [red]x[/red]"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("C1 \x9b31m", r"C1 \x9b31m"),
        ("line\u2028separator", r"line\u2028separator"),
        ("reversed \u202egnp.exe", r"reversed \u202egnp.exe"),
        ("surrogate \udcff", r"surrogate \udcff"),
        ("\0\x7f", r"\x00\x7f"),
        (3, "3"),
    ],
)
def test_what_is_not_printable_is_escaped(text, expected):
    assert shown(text) == expected
