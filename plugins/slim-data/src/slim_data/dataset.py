"""`Dataset`: where examples are, how they are read and decoded, and what is known of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from slim_data.data_decoder import DataDecoder


class Dataset:
    """Describes the examples of one split. It holds no data and opens no file."""

    def __init__(
        self,
        data_sources: str | Sequence[str],
        reader: Any,
        decoder: DataDecoder,
        num_samples: int | None,
        items_to_descriptions: Mapping[str, str],
        **kwargs: Any,
    ) -> None:
        """Keeps the description; every argument becomes an attribute of the same name.

        Args:
            data_sources: Paths or glob patterns of the files.
            reader: Reader that cuts a file into examples: `tf.compat.v1.TFRecordReader`,
                `TextLineReader`, `WholeFileReader` or `IdentityReader` (the path is the example).
            decoder: Decoder that turns one example into items.
            num_samples: Number of examples, or None where it is not known.
            items_to_descriptions: Description of each item, for people.
            **kwargs: Further facts, such as `num_classes` and `labels_to_names`.
        """
        self.data_sources = data_sources
        self.reader = reader
        self.decoder = decoder
        self.num_samples = num_samples
        self.items_to_descriptions = items_to_descriptions
        for name, value in kwargs.items():
            setattr(self, name, value)
