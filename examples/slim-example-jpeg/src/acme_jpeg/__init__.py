"""A JPEG decoder that turns photographs upright, as an example of a plugin."""
