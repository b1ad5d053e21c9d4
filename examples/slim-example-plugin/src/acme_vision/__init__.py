"""An example plugin of Slim: one layer and one decoder."""
