"""A task for Slim: a number is learnt of an image."""
