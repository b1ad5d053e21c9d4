"""Losses of TF-Slim, and the collection that sums them."""
