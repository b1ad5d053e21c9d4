"""The product of inputs and a matrix of weights, with a gradient that a processor takes well."""

import tensorflow as tf

# With fewer weights the plain gradient is as fast.
LARGE = 2**20


def product(inputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns `inputs @ weights`, of shapes [batch, in] and [in, out]."""
    if weights.dtype == tf.float32 and (weights.shape.num_elements() or 0) >= LARGE:
        return _large(inputs, tf.convert_to_tensor(weights))
    return tf.matmul(inputs, weights)


@tf.custom_gradient
def _large(inputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # TensorFlow would multiply by the transposed weights, which it reads against the grain:
        # with 1,024 outputs three times slower than to transpose what is small.
        by_inputs = tf.transpose(tf.matmul(weights, tf.transpose(upstream)))
        return by_inputs, tf.matmul(inputs, upstream, transpose_a=True)

    return tf.matmul(inputs, weights), gradients
