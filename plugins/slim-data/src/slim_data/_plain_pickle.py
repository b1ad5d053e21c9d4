"""Reads pickles of numbers, text, lists, dicts and arrays of numbers, and builds nothing else.

Python's own unpickler runs what a file tells it to, and NumPy's part in it trusts the file about
what is in memory. Here the instructions of a file are read one by one, those that CIFAR's files
consist of are carried out, and any other is an error.
"""

import pickletools
from typing import Any

import numpy as np

_NUMBERS = {"b1", "f2", "f4", "f8", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))}
_ARRAY, _TYPE, _ENCODE = "_reconstruct", "dtype", "encode"
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _TYPE,
    ("_codecs", "encode"): _ENCODE,
}

_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_ARGUMENTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
}
_LATIN_1 = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # bytes, which pickletools shows as text
_NOTHING = {"PROTO", "FRAME"}


class _Mark:
    """Where the items of a list, a tuple or a dict begin on the stack."""


class _Known:
    """One of the few names that an array's pickle refers to."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Type:
    """The type of an array's numbers."""

    def __init__(self, code: str) -> None:
        if code not in _NUMBERS:
            raise ValueError(f"an array of the type {code!r}, which is not one of numbers")
        self.code, self.order = code, "|"


class _Array:
    """An array, without values until its state is read."""

    values: np.ndarray | None = None


def loads(data: bytes) -> Any:
    """Reads a pickle.

    Args:
        data: The pickle; text of Python 2 in it becomes bytes.

    Returns:
        Numbers, text, bytes, None, and lists, tuples, dicts and arrays of these.

    Raises:
        ValueError: It is damaged, or asks for anything else.
    """
    try:
        return _plain(_Machine().run(data), 0)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(f"a damaged pickle ({type(error).__name__})") from error


class _Machine:
    """The stack and the memo of a pickle that is being read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        """Carries out every instruction up to the last."""
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(_VALUES[name])
            elif name in _ARGUMENTS:
                self.stack.append(argument)
            elif name in _LATIN_1:
                self.stack.append(str(argument).encode("latin-1"))
            elif name not in _NOTHING:
                step = getattr(self, f"_{name.lower()}", None)
                if step is None:
                    raise ValueError(f"the instruction {name}, which plain data do not need")
                step(argument)
        raise ValueError("a pickle without an end")

    def _items(self) -> list[Any]:
        """Takes what lies above the last mark, and the mark."""
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], _Mark):
            place -= 1
            if place < 0:
                raise ValueError("items without a beginning")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def _mark(self, _: Any) -> None:
        self.stack.append(_Mark())

    def _empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _list(self, _: Any) -> None:
        self.stack.append(self._items())

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        _of(list, self.stack[-1]).append(item)

    def _appends(self, _: Any) -> None:
        items = self._items()
        _of(list, self.stack[-1]).extend(items)

    def _empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def _dict(self, _: Any) -> None:
        items = self._items()
        self.stack.append({})
        self._set(items)

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _setitems(self, _: Any) -> None:
        self._set(self._items())

    def _set(self, items: list[Any]) -> None:
        target = _of(dict, self.stack[-1])
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Of nested tuples, a hash could take for ever.
            if not isinstance(key, (str, bytes, int)):
                raise ValueError(f"a key of the type {type(key).__name__}")
            target[key] = value

    def _empty_tuple(self, _: Any) -> None:
        self.stack.append(())

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._items()))

    def _tuple1(self, _: Any) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self, _: Any) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def _tuple3(self, _: Any) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def _put(self, place: Any) -> None:
        self.memo[place] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, place: Any) -> None:
        self.stack.append(self.memo[place])

    _binget = _long_binget = _get

    def _global(self, argument: Any) -> None:
        module, _, name = str(argument).partition(" ")
        self._refer(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._refer(_of(str, module), _of(str, name))

    def _refer(self, module: str, name: str) -> None:
        if (module, name) not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}, which plain data do not need")
        self.stack.append(_Known(_KNOWN[module, name]))

    def _reduce(self, _: Any) -> None:
        arguments = _of(tuple, self.stack.pop())
        name = _of(_Known, self.stack.pop()).name
        if name == _ARRAY:
            self.stack.append(_Array())
        elif name == _TYPE:
            self.stack.append(_Type(_text(arguments[0])))
        elif name == _ENCODE and arguments[1] == "latin1":
            self.stack.append(_of(str, arguments[0]).encode("latin-1"))
        else:
            raise ValueError(f"a call of {name}, which plain data do not need")

    def _build(self, _: Any) -> None:
        state = _of(tuple, self.stack.pop())
        built = self.stack[-1]
        if isinstance(built, _Type):
            # Version, byte order, and what only types of other than numbers have.
            if state[1] not in ("|", "<", ">", b"|", b"<", b">") or any(state[2:5]):
                raise ValueError("a type of numbers with an odd state")
            built.order = _text(state[1])
        elif isinstance(built, _Array):
            _, shape, kind, by_columns, data = state
            built.values = _array(shape, _of(_Type, kind), by_columns, data)
        else:
            raise ValueError(f"a state for a {type(built).__name__}")


def _array(shape: Any, kind: _Type, by_columns: Any, data: Any) -> np.ndarray:
    sizes = [_of(int, size) for size in _of(tuple, shape)]
    flat = np.frombuffer(_of(bytes, data), np.dtype(kind.order + kind.code))
    count = 1
    for size in sizes:
        count *= size
    if min(sizes, default=0) < 0 or count != len(flat) or len(sizes) > 8:
        raise ValueError(f"an array of the shape {shape} with {len(flat)} numbers")
    return flat.reshape(sizes, order="F" if by_columns else "C")


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"a {type(value).__name__} where a {kind.__name__} must be")
    return value


def _text(value: Any) -> str:
    return value.decode("latin-1") if type(value) is bytes else _of(str, value)


def _plain(value: Any, depth: int) -> Any:
    """Returns a dict of values with its arrays as arrays, at the depth where CIFAR has them."""
    if isinstance(value, _Array):
        if value.values is None:
            raise ValueError("an array without values")
        return value.values
    if isinstance(value, (_Mark, _Known, _Type)):
        raise ValueError("something that is no value")
    if isinstance(value, dict) and depth == 0:
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    return value
