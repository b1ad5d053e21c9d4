"""`Image`: decodes the images of an example with the decoders that are registered."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

import slimcore.registry as registry
from slim_data._item_handlers import Features, ItemHandler
from slim_data._orientation import orientation, stored_window, turned, upright_shape
from slimcore.errors import SlimError

# How the bytes of each format begin: (position, bytes).
_SIGNATURES = {
    "image/jpeg": (0, b"\xff\xd8\xff"),
    "image/png": (0, b"\x89PNG"),
    "image/gif": (0, b"GIF8"),
    "image/bmp": (0, b"BM"),
    "image/webp": (8, b"WEBP"),
}
_RAW = "image/raw"


class Image(ItemHandler):
    """Decodes one image, or a list of them.

    The bytes tell the format, whatever the example says, and the decoder of that format is looked
    up in the registry. A format whose bytes Slim does not know, and raw pixels, are taken at their
    word: `image/<format>` is looked up.
    """

    def __init__(
        self,
        image_key: str | None = None,
        format_key: str | None = None,
        shape: Sequence[int | None] | None = None,
        channels: int | None = 3,
        dtype: tf.DType = tf.uint8,
        repeated: bool = False,
        dct_method: str = "",
        upright: bool = False,
    ) -> None:
        """Keeps where the image is and what it should become.

        Args:
            image_key: Feature with the encoded image, "image/encoded" by default.
            format_key: Feature with the format, "image/format" by default.
            shape: [height, width, channels], which images are reshaped to; raw pixels need it.
            channels: 0 or None (as in the image), 1, 3 or 4.
            dtype: Type of the pixels: uint8; uint16 for all the bits of a PNG; for raw pixels,
                what they are. Any other is a cast of uint8.
            repeated: Whether the feature is a list of images, all of one size.
            dct_method: For JPEG: "INTEGER_FAST", "INTEGER_ACCURATE" or "".
            upright: Whether an image is turned as its EXIF orientation says. `slim data convert`
                writes upright images, which need no more turning.
        """
        self._image_key = image_key or "image/encoded"
        self._format_key = format_key or "image/format"
        super().__init__([self._image_key, self._format_key])
        self._shape = shape
        self._channels = channels or 0
        self._dtype = tf.as_dtype(dtype)
        self._repeated = repeated
        self._dct_method = dct_method
        self._upright = upright

    def tensors_to_item(self, keys_to_tensors: Features) -> tf.Tensor:
        """Returns the pixels.

        Returns:
            Tensor [height, width, channels] of `dtype`, or [n, height, width, channels].
        """
        contents = keys_to_tensors[self._image_key]
        image_format = keys_to_tensors[self._format_key]
        if isinstance(contents, tf.SparseTensor):
            contents = tf.sparse.to_dense(contents, default_value="")
        if self._repeated:
            return self._each_decoded(contents, image_format)
        return self._decoded(tf.reshape(contents, []), image_format)

    def window_of(
        self, keys_to_tensors: Features, choose: Callable[[tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        """Returns a window of the image. Of a JPEG only the window is decoded.

        Args:
            keys_to_tensors: As in `tensors_to_item`.
            choose: From the shape of the image, int32 [3], to int32 [y, x, height, width].

        Returns:
            Tensor [height of the window, width of the window, channels] of `dtype`.
        """

        def whole() -> tf.Tensor:
            image = self.tensors_to_item(keys_to_tensors)
            y, x, height, width = tf.unstack(choose(tf.shape(image)), 4)
            return image[y : y + height, x : x + width]

        parts = self._parts_of_jpeg()
        if parts is None:
            return whole()
        # A branch is laid out in the graph around it, and passed over node by node where it is not
        # taken. The decoders of all other formats are many nodes; as a call they are one.
        rare = tf.function(whole, autograph=False, experimental_attributes={"_noinline": True})
        contents = tf.reshape(keys_to_tensors[self._image_key], [])
        start, signature = _SIGNATURES["image/jpeg"]
        shape_of, decode_and_crop = parts

        def part() -> tf.Tensor:
            shape = shape_of(contents)
            if not self._upright:
                return decode_and_crop(contents, choose(shape), channels=self._channels)
            how = orientation(contents)
            shape = upright_shape(shape, how)
            window = stored_window(choose(shape), shape, how)
            return turned(decode_and_crop(contents, window, channels=self._channels), how)

        is_jpeg = tf.equal(tf.strings.substr(contents, start, len(signature)), signature)
        return tf.cond(is_jpeg, part, rare)

    def _parts_of_jpeg(self) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
        """Returns what reads a JPEG's shape and what decodes a part, if the decoder has both."""
        plain = not self._repeated and self._dtype == tf.uint8 and self._shape is None
        if not plain or self._dct_method:
            return None
        try:
            decoder = registry.lookup("decoder", "image/jpeg")
        except SlimError:
            return None  # as in `_branch`, only a JPEG needs it
        if not hasattr(decoder, "decode_and_crop"):
            return None
        return decoder.extract_shape, decoder.decode_and_crop

    def _each_decoded(self, contents: tf.Tensor, image_format: tf.Tensor) -> tf.Tensor:
        shape = self._static_shape()

        def decoded() -> tf.Tensor:
            return tf.map_fn(
                lambda one: self._decoded(one, image_format),
                contents,
                fn_output_signature=tf.TensorSpec(shape, self._dtype),
            )

        # Of a list without images only the shape that is given is known; the rest is 0.
        nothing = tf.zeros([0, *(size or 0 for size in shape)], self._dtype)
        images = tf.cond(tf.equal(tf.size(contents), 0), lambda: nothing, decoded)
        images.set_shape([None, *shape])
        return images

    def _decoded(self, contents: tf.Tensor, image_format: tf.Tensor) -> tf.Tensor:
        image = decode_image(
            contents,
            image_format,
            channels=self._channels,
            dtype=self._dtype,
            shape=self._shape,
            dct_method=self._dct_method,
            upright=self._upright,
        )
        shape = self._static_shape()
        if None not in shape:
            return tf.reshape(image, shape)
        image.set_shape(shape)
        return image

    def _static_shape(self) -> list[int | None]:
        if self._shape is None:
            return [None, None, self._channels or None]
        return list(self._shape)


@tf.autograph.experimental.do_not_convert
def decode_image(
    contents: tf.Tensor,
    image_format: tf.Tensor | str = "",
    channels: int = 0,
    dtype: tf.DType = tf.uint8,
    shape: Sequence[int | None] | None = None,
    dct_method: str = "",
    upright: bool = True,
) -> tf.Tensor:
    """Decodes an image of any format that a decoder is registered for, and turns it upright.

    Args:
        contents: Scalar string.
        image_format: What it is said to be, such as "png"; used only where the bytes do not tell.
        channels: 0 (as in the image), 1, 3 or 4.
        dtype: Type of the pixels: uint8; uint16 for all the bits of a PNG; for raw pixels, what
            they are. Any other is a cast of uint8.
        shape: Shape of raw pixels.
        dct_method: For JPEG: "INTEGER_FAST", "INTEGER_ACCURATE" or "".
        upright: Whether to turn a JPEG, PNG or WebP as its EXIF orientation says. A decoder that
            takes `upright` does it itself; what any other decodes is turned afterwards.

    Returns:
        Tensor [height, width, channels].

    Raises:
        InvalidArgumentError: When it runs: no decoder can read the bytes.
    """
    known = list(_SIGNATURES)
    others = [
        name
        for name in registry.current().names("decoder")
        if name.startswith("image/") and name not in (*known, _RAW)
    ]
    depth = tf.uint16 if dtype == tf.uint16 else tf.uint8
    options = {
        "channels": channels,
        "dtype": depth,
        "dct_method": dct_method,
        "upright": upright,
    }
    branches = [
        lambda: _decode_raw(contents, dtype, shape),
        *(_branch(name, contents, options, dtype) for name in (*known, *others)),
        lambda: _refusal(contents, dtype, _unknown_format([*known, *others])),
    ]
    index = _format_index(contents, tf.convert_to_tensor(image_format), known, others)
    image = tf.switch_case(index, branches)
    if not upright:
        return image
    # Raw pixels have no orientation, and some decoders see to it themselves.
    done = tf.constant([True, *map(_turns, (*known, *others)), True])
    as_it_is = tf.constant(1)
    how = tf.cond(tf.gather(done, index), lambda: as_it_is, lambda: orientation(contents))
    return turned(image, how)


def _turns(name: str) -> bool:
    """Returns whether a decoder takes `upright`, and so turns images itself."""
    try:
        return "upright" in inspect.signature(registry.lookup("decoder", name)).parameters
    except SlimError:
        return True  # there is no image then


def _unknown_format(known: Sequence[str]) -> str:
    formats = ", ".join(sorted(name.removeprefix("image/").upper() for name in known))
    return (
        f"not a readable image: its format is not one of {formats}. Convert it to one of these, or "
        "leave it out with skip_corrupt (--skip-corrupt); it begins with"
    )


def _format_index(
    contents: tf.Tensor, image_format: tf.Tensor, known: Sequence[str], others: Sequence[str]
) -> tf.Tensor:
    """Returns which branch decodes: raw, one of `known`, one of `others`, or the refusal."""
    positions, signatures = zip(*(_SIGNATURES[name] for name in known), strict=True)
    head = tf.strings.join([tf.strings.substr(contents, 0, 12), "\0" * 12])
    found = tf.strings.substr(
        tf.fill([len(known)], head), positions, [len(signature) for signature in signatures]
    )
    name = tf.strings.join(["image/", tf.strings.lower(tf.reshape(image_format, []))])
    # Raw pixels may begin like anything, so that what the example says comes first for them.
    # `==` would compare objects in a TF1 graph.
    named = tf.equal(name, [_RAW, *others])
    fits = tf.concat([named[:1], tf.equal(found, signatures), named[1:], [True]], 0)
    return tf.argmax(tf.cast(fits, tf.int32), output_type=tf.int32)


def _branch(
    name: str, contents: tf.Tensor, options: dict[str, Any], dtype: tf.DType
) -> Callable[[], tf.Tensor]:
    try:
        decoder = registry.lookup("decoder", name)
    except SlimError as error:
        # Only an image of this format needs the decoder; the others can still be read.
        trouble = f"{error}; given"
        return lambda: _refusal(contents, dtype, trouble)
    accepted = _accepted(decoder, options)
    return lambda: tf.cast(decoder(contents, **accepted), dtype)


def _accepted(decoder: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that a decoder takes; all take `channels`."""
    parameters = inspect.signature(decoder).parameters
    return {k: v for k, v in options.items() if k == "channels" or k in parameters}


def _decode_raw(
    contents: tf.Tensor, dtype: tf.DType, shape: Sequence[int | None] | None
) -> tf.Tensor:
    if shape is None:
        return _refusal(contents, dtype, "raw pixels need a shape, an argument of Image; given")
    pixels = registry.lookup("decoder", _RAW)(contents, dtype=dtype)
    return tf.reshape(pixels, [-1 if n is None else n for n in shape])


def _refusal(contents: tf.Tensor, dtype: tf.DType, reason: str) -> tf.Tensor:
    # As text, for the message of an error must be.
    start = tf.strings.unicode_transcode(
        tf.strings.substr(contents, 0, 8),
        "UTF-8",
        "UTF-8",
        replacement_char=ord("?"),
        replace_control_characters=True,
    )
    start = tf.where(tf.equal(contents, ""), "nothing, for it is empty", start)
    refuse = tf.debugging.Assert(False, [reason, start])
    with tf.control_dependencies([refuse]):
        return tf.zeros([0, 0, 0], dtype)


def format_of(contents: bytes) -> str | None:
    """Returns the format that the bytes of an image begin like, such as "png", if it is known."""
    for name, (start, signature) in _SIGNATURES.items():
        if contents[start : start + len(signature)] == signature:
            return name.removeprefix("image/")
    return None
