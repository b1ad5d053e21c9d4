"""Evaluation of checkpoints, in a graph and on functions of a batch."""
