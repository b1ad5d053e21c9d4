"""Item handlers for bounding boxes and keypoints."""

from collections.abc import Sequence

import tensorflow as tf

from slim_data._item_handlers import Features, ItemHandler
from slimcore.errors import InputError

_CORNERS = ("ymin", "xmin", "ymax", "xmax")


class BoundingBox(ItemHandler):
    """Joins four features to boxes."""

    def __init__(self, keys: Sequence[str] | None = None, prefix: str = "") -> None:
        """Keeps which features.

        Args:
            keys: Four names, in the order of the result: ymin, xmin, ymax and xmax by default.
            prefix: Prefix of every key, such as "image/object/bbox/".

        Raises:
            InputError: There are not four keys.
        """
        super().__init__(_prefixed("BoundingBox", keys or _CORNERS, prefix, len(_CORNERS)))

    def tensors_to_item(self, keys_to_tensors: Features) -> tf.Tensor:
        """Returns the boxes.

        Returns:
            Tensor [number of boxes, 4].
        """
        sides = []
        for key in self.keys:
            side = keys_to_tensors[key]
            sides.append(side.values if isinstance(side, tf.SparseTensor) else side)
        return tf.stack(sides, axis=-1)


class _StepsOfNumbers(ItemHandler):
    """Joins features of a sequence, each with the numbers of every step, along a new last axis."""

    def __init__(self, keys: Sequence[str], return_dense: bool, default_value: float) -> None:
        super().__init__(keys)
        self._return_dense = return_dense
        self._default_value = default_value

    def tensors_to_item(self, keys_to_tensors: Features) -> tf.Tensor | tf.SparseTensor:
        """Returns the numbers of each step.

        Returns:
            Tensor [steps, most in a step, number of keys], filled up with `default_value`; or the
            same as a sparse tensor.
        """
        columns = [tf.sparse.expand_dims(keys_to_tensors[key], -1) for key in self.keys]
        joined = tf.sparse.concat(2, columns, expand_nonconcat_dims=True)
        if self._return_dense:
            return tf.sparse.to_dense(joined, default_value=self._default_value)
        return joined


class BoundingBoxSequence(_StepsOfNumbers):
    """Joins four features of a sequence to the boxes of each step."""

    def __init__(
        self,
        keys: Sequence[str] | None = None,
        prefix: str | None = None,
        return_dense: bool = True,
        default_value: float = -1.0,
    ) -> None:
        """Keeps which features.

        Args:
            keys: Four names, in the order of the result: ymin, xmin, ymax and xmax by default.
            prefix: Prefix of every key.
            return_dense: Whether steps with fewer boxes are filled up.
            default_value: Value that they are filled up with.

        Raises:
            InputError: There are not four keys.
        """
        keys = _prefixed("BoundingBoxSequence", keys or _CORNERS, prefix, len(_CORNERS))
        super().__init__(keys, return_dense, default_value)


class KeypointsSequence(_StepsOfNumbers):
    """Joins two features of a sequence to the keypoints of each step."""

    def __init__(
        self,
        keys: Sequence[str] | None = None,
        prefix: str | None = None,
        return_dense: bool = True,
        default_value: float = -1.0,
    ) -> None:
        """Keeps which features.

        Args:
            keys: Two names, in the order of the result: y and x by default.
            prefix: Prefix of every key.
            return_dense: Whether steps with fewer keypoints are filled up.
            default_value: Value that they are filled up with.

        Raises:
            InputError: There are not two keys.
        """
        keys = _prefixed("KeypointsSequence", keys or ("y", "x"), prefix, 2)
        super().__init__(keys, return_dense, default_value)


class NumBoxesSequence(ItemHandler):
    """Counts the boxes of each step of a sequence."""

    def __init__(
        self, keys: str | Sequence[str] | None = None, check_consistency: bool = True
    ) -> None:
        """Keeps which features.

        Args:
            keys: Features of the boxes, one number per box and step; the first is counted.
            check_consistency: Whether all features must have equal counts.

        Raises:
            InputError: There is no key.
        """
        if not keys:
            raise InputError("NumBoxesSequence takes at least one key, and got none")
        super().__init__(keys)
        self._check_consistency = check_consistency

    def tensors_to_item(self, keys_to_tensors: Features) -> tf.Tensor:
        """Returns the counts.

        Returns:
            int64 tensor [steps].
        """
        counts = [_count_in_rows(keys_to_tensors[key]) for key in self.keys]
        if not self._check_consistency:
            return counts[0]
        checks = [
            tf.debugging.Assert(
                tf.reduce_all(tf.equal(counts[0], other)),
                [f"the features {self.keys[0]} and {key} have unequal numbers of boxes"],
            )
            for key, other in zip(self.keys[1:], counts[1:], strict=True)
        ]
        with tf.control_dependencies(checks):
            return tf.identity(counts[0])


def _prefixed(what: str, keys: Sequence[str], prefix: str | None, count: int) -> list[str]:
    if len(keys) != count:
        raise InputError(f"{what} takes {count} keys, and got {len(keys)}: {', '.join(keys)}")
    return [(prefix or "") + key for key in keys]


def _count_in_rows(feature: tf.SparseTensor) -> tf.Tensor:
    return tf.math.unsorted_segment_sum(
        tf.ones_like(feature.indices[:, 0]), feature.indices[:, 0], feature.dense_shape[0]
    )
