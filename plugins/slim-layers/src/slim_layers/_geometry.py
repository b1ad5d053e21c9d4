"""How kernels and windows move over inputs: their size, step, padding and dilation, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from slim_layers._layer import Layer
from slim_layers._layouts import CHANNELS_FIRST, CHANNELS_LAST

Ints = int | Sequence[int]

PADDINGS = ("SAME", "VALID")


@dataclass(frozen=True)
class Window:
    """A kernel or a pooling window, with a number for each axis beside batch and channels.

    Attributes:
        size: Its size on each axis.
        strides: Its step on each axis.
        rates: Its dilation on each axis.
        padding: "SAME" or "VALID".
        first: Whether the channels of the inputs are on axis 1; else they are last.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    rates: tuple[int, ...]
    padding: str
    first: bool

    @property
    def dims(self) -> int:
        """The number of axes beside batch and channels."""
        return len(self.size)

    @property
    def dilated(self) -> bool:
        """Whether there are gaps in it."""
        return max(self.rates) > 1

    @property
    def channels_axis(self) -> int:
        """The axis of the inputs' channels."""
        return 1 if self.first else -1


@dataclass(frozen=True)
class Geometry:
    """What the caller of a layer says of its window: one number for all axes, or one for each.

    Attributes:
        kernel_size: The size.
        stride: The step.
        padding: "SAME" or "VALID", in capitals or not.
        data_format: "NHWC" or "NCHW", and their like for one and three axes; None for channels
            last.
        rate: The dilation.
        rate_argument: The name under which the layer takes it.
    """

    kernel_size: Ints
    stride: Ints
    padding: str
    data_format: str | None
    rate: Ints = 1
    rate_argument: str = "rate"

    def checked(self, layer: Layer, *dims: int, fits: bool = True) -> Window:
        """Returns the window, if it is one for the inputs of a layer.

        Args:
            layer: The layer, for its inputs and for the errors.
            *dims: How many axes the inputs may have beside batch and channels.
            fits: Whether the inputs must hold the window, unless they are padded.

        Raises:
            ShapeError: The inputs have another rank, or do not hold the window.
            InputError: A value is not one of those allowed.
        """
        n = layer.check_rank(*(d + 2 for d in dims)) - 2
        window = Window(
            size=layer.integers("kernel_size", self.kernel_size, n),
            strides=layer.integers("stride", self.stride, n),
            rates=layer.integers(self.rate_argument, self.rate, n),
            padding=self._checked_padding(layer),
            first=self._channels_first(layer, n),
        )
        if max(window.strides) > 1 and window.dilated:
            layer.refuse(
                f"takes a stride or a {self.rate_argument} above 1, not both: "
                f"stride={self.stride}, {self.rate_argument}={self.rate}"
            )
        if fits and window.padding == "VALID":
            _check_fit(layer, window)
        return window

    def _channels_first(self, layer: Layer, dims: int) -> bool:
        if self.data_format is None or self.data_format == CHANNELS_LAST[dims]:
            return False
        choices = (CHANNELS_LAST[dims], CHANNELS_FIRST[dims])
        layer.check_choice("data_format", self.data_format, choices)
        return True

    def _checked_padding(self, layer: Layer) -> str:
        padding = str(self.padding).upper()
        layer.check_choice("padding", padding, PADDINGS)
        return padding


def _check_fit(layer: Layer, window: Window) -> None:
    shape = layer.inputs.shape
    sizes = shape[2:] if window.first else shape[1:-1]
    spans = [(k - 1) * r + 1 for k, r in zip(window.size, window.rates, strict=True)]
    if any(n is not None and n < span for n, span in zip(sizes, spans, strict=True)):
        layer.fail(
            f"cannot fit a kernel that spans {spans} into {list(sizes)} without padding; take a "
            "smaller kernel or padding='SAME'"
        )
