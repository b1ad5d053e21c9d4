"""Gradients, optimizers, learning rates and moving averages of weights."""
