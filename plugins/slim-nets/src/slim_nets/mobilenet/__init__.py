"""MobileNet v2 and v3, and what they are built from."""
