"""Training and evaluation loops for Slim, and the commands that use them."""
