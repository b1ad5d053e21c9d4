"""Text that comes from files, data or plugins, made fit to be shown on a terminal."""


def shown(text: object) -> str:
    r"""Returns a text with everything that is not a printable character escaped.

    A class name, a path or a message may hold whatever its author put there: an escape sequence that
    clears the screen, a newline that fakes a line of output, a mark that reverses the order of
    letters, half of a surrogate pair. They appear as Python would write them: `\x1b[2J`.

    Args:
        text: What to show; `str` of it is taken.

    Returns:
        One line, of printable characters alone. It is not safe from libraries with a markup of
        their own: of rich, use `rich.text.Text(shown(text))` or `rich.markup.escape`.
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
