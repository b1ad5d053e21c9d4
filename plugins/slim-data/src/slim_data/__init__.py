"""Datasets, decoders, providers and input pipelines for Slim."""
