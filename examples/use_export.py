"""Classifies image files with what `slim export` wrote; TensorFlow is all that it needs.

python examples/use_export.py runs/digits/export examples/images/seven.png
"""

import sys
from pathlib import Path

import tensorflow as tf

folder, *images = sys.argv[1:]
model = tf.saved_model.load(folder)
outputs = model.signatures["encoded"](tf.constant([Path(image).read_bytes() for image in images]))
for image, probabilities in zip(images, outputs["probabilities"].numpy(), strict=True):
    likeliest = int(probabilities.argmax())
    label = model.labels[likeliest].numpy().decode()
    print(f"{image}: {label} ({probabilities[likeliest]:.1%})")
