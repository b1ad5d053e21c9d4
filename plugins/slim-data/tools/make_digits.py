"""Writes the bundled dataset `digits` from scikit-learn's copy of the UCI handwritten digits.

    python tools/make_digits.py src/slim_data/digits

The test set is every fifth example of each class, in scikit-learn's order, beginning with the
fifth; the others are for training. Brightness 0..16 becomes 0..255.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits


def main(folder: str) -> None:
    """Writes digits_train.tfrecord, digits_test.tfrecord and labels.txt into a folder."""
    data = load_digits()
    images = np.round(data.images * 255 / 16).astype(np.uint8)[..., None]
    seen = np.zeros(10, int)
    split = []
    for label in data.target:
        seen[label] += 1
        split.append("test" if seen[label] % 5 == 0 else "train")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        path = Path(folder) / f"digits_{name}.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            chosen = [i for i, s in enumerate(split) if s == name]
            for i in chosen:
                writer.write(
                    _example(images[i], int(data.target[i])).SerializeToString(deterministic=True)
                )
        print(f"{path}: {len(chosen)} examples")
    (Path(folder) / "labels.txt").write_text("".join(f"{n}:{n}\n" for n in range(10)))


def _example(image: np.ndarray, label: int) -> tf.train.Example:
    def integers(*values: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def strings(*values: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    features = {
        "image/encoded": strings(tf.io.encode_png(image, compression=9).numpy()),
        "image/format": strings(b"png"),
        "image/class/label": integers(label),
        "image/height": integers(image.shape[0]),
        "image/width": integers(image.shape[1]),
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


if __name__ == "__main__":
    main(sys.argv[1])
