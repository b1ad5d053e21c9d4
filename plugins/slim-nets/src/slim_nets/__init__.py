"""Networks of TF-Slim and research/slim."""
