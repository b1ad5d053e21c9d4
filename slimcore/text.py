"""Text from elsewhere, such as names of files and classes, made fit to be shown."""


def shown(text: str) -> str:
    """Returns a text with its control characters, and what cannot be encoded, escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
