"""Training and evaluation in a `tf.Graph`, run by sessions."""
