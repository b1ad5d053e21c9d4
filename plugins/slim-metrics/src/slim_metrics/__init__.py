"""Streaming metrics of TF-Slim."""
