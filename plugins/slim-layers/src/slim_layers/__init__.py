"""Layers, normalization, regularizers and initializers of TF-Slim."""
