"""What a data provider can do: give the tensors of one example, by item."""

from collections.abc import Mapping, Sequence
from typing import Any

from slimcore.errors import InputError, close


class DataProvider:
    """Gives tensors by the names of items."""

    def __init__(self, items_to_tensors: Mapping[str, Any], num_samples: int | None) -> None:
        """Keeps the tensors.

        Args:
            items_to_tensors: Tensors by name of the item.
            num_samples: Number of examples that they run through, if known.
        """
        self._items_to_tensors = dict(items_to_tensors)
        self._num_samples = num_samples

    def get(self, items: Sequence[str]) -> list[Any]:
        """Returns the tensors of some items, in that order.

        Raises:
            InputError: There is no such item.
        """
        known = self._items_to_tensors
        for item in items:
            if item not in known:
                raise InputError(
                    f"the provider has no item {item!r}{close(item, known)}. "
                    f"It has {', '.join(known)}"
                )
        return [known[item] for item in items]

    def list_items(self) -> list[str]:
        """Returns the names of the items."""
        return list(self._items_to_tensors)

    def num_samples(self) -> int | None:
        """Returns the number of examples, if known."""
        return self._num_samples
