"""The commands that the core brings to the program `slim`."""
