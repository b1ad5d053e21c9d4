"""Recognizes files that hold weights and are not checkpoints, and says what reads them."""

import json
import os
import zipfile

import tensorflow as tf

_INTO_VARIABLES = "slim.assign_from_values sets variables from arrays"
_LARGEST_GRAPH = 1 << 31


def recognized(path: str) -> str | None:
    """Returns what a file or folder of another format is and what reads it, as a phrase.

    Args:
        path: A local path, or any other, of which nothing is known.
    """
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return "a SavedModel, which tf.saved_model.load reads"
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        head = file.read(16)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return (
            "an HDF5 file, such as Keras writes (.h5): load_weights of a Keras model reads it, or "
            f"h5py; {_INTO_VARIABLES}"
        )
    if zipfile.is_zipfile(path):
        return _archive(path)
    if head[8:9] == b"{" and _is_safetensors(path):
        return f"a safetensors file: safetensors.numpy.load_file reads it; {_INTO_VARIABLES}"
    if head[:1] == b"\n" and _is_graph(path):
        return (
            "a graph (GraphDef), whose weights, where it is frozen, are constants: "
            "tf.compat.v1.import_graph_def reads it"
        )
    if head.startswith(b"\x80"):
        return f"a pickle, such as PyTorch writes; export its arrays, and {_INTO_VARIABLES}"
    return None


def _archive(path: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    if "model.weights.h5" in names:
        return "a Keras model (.keras), which tf.keras.models.load_model reads"
    if any(name.endswith("data.pkl") for name in names):
        return f"a file of PyTorch: torch.load reads it; {_INTO_VARIABLES}"
    if names and all(name.endswith(".npy") for name in names):
        return f"arrays of NumPy (.npz): numpy.load reads them; {_INTO_VARIABLES}"
    return "a zip archive, which is not a checkpoint"


def _is_safetensors(path: str) -> bool:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(os.path.getsize(path), 100_000_000):
            return False
        try:
            return isinstance(json.loads(file.read(length)), dict)
        except ValueError:
            return False


def _is_graph(path: str) -> bool:
    from google.protobuf.message import DecodeError

    if os.path.getsize(path) > _LARGEST_GRAPH:
        return False
    try:
        with open(path, "rb") as file:
            graph = tf.compat.v1.GraphDef.FromString(file.read())
    except DecodeError:
        return False
    return bool(graph.node) and all(node.op for node in graph.node)
