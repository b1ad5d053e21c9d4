"""Classifies image files with what `slim export` wrote; TensorFlow is all that it needs.

python examples/use_export.py runs/digits/export examples/images/seven.png
"""

import sys
from pathlib import Path

import tensorflow as tf

folder, *images = sys.argv[1:]
model = tf.saved_model.load(folder)
outputs = model.signatures["encoded"](tf.constant([Path(image).read_bytes() for image in images]))
for image, label, probabilities in zip(
    images, outputs["labels"].numpy(), outputs["probabilities"].numpy(), strict=True
):
    print(f"{image}: {label.decode()} ({probabilities.max():.1%})")
