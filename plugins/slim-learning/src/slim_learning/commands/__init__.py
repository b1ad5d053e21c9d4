"""The commands that slim-learning brings to `slim`; TensorFlow is imported when one runs."""
