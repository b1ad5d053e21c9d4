"""Training on functions of a batch: the train op and the loop."""
