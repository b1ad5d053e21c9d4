"""Archives and pickles of strangers: nothing is run, and no more memory taken than is right."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import pickletools
import struct
import tarfile
import tracemalloc

import numpy as np
import pytest
from slim_data import _plain_pickle
from slim_data._convert_sources import open_source

from slimcore.errors import DataError

GLOBAL = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\x01btR"


def dtype(code):
    return b"cnumpy\ndtype\n(U" + bytes([len(code)]) + code + b"K\0K\x01tR"


def array(code=b"u1", shape=b"K\x04\x85", data=b"U\x04abcd", state=None):
    state = b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb" if state is None else state
    return GLOBAL + b"(K\x01" + shape + dtype(code) + state + b"K\0" + data + b"tb."


HOSTILE = {
    "a call of the system": b"cposix\nsystem\n(U\x04exittR.",
    "an evaluated text": b"c__builtin__\neval\n(U\x011tR.",
    "a call by its name on the stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",
    "an instance": b"(cposix\nsystem\nU\x01xo.",
    "an old instance": b"(U\x01xiposix\nsystem\n.",
    "a new object": b"cnumpy\nndarray\nK\x04\x85\x81.",
    "a new object with keywords": b"\x80\x04cnumpy\nndarray\n)}\x92.",
    "an extension": b"\x82\x01.",
    "a persistent object": b"Pname\n.",
    "an array of objects": array(b"O8"),
    "an array of a structure": array(b"V8"),
    "an array of text": array(b"S4"),
    "a type that becomes objects": array(
        state=b"(K\x04U\x01|NU\x01f\x85}U\x01f(cnumpy\ndtype\nU\x02O8\x85RK\0tsK\x08K\x08K?tb"
    ),
    "a type that becomes an array of others": array(
        state=b"(K\x03U\x01|(cnumpy\ndtype\nU\x02O8\x85RK\x02\x85tNNJ\xff\xff\xff\xffK\0K\0tb"
    ),
    "a type with other order": array(state=b"(K\x03U\x01=NNNJ\xff\xff\xff\xffK\0K\0tb"),
    "more numbers than there are": array(shape=b"M\xff\xff\x85"),
    "fewer numbers than there are": array(shape=b"K\x01\x85"),
    "a negative size": array(shape=b"J\xff\xff\xff\xffJ\xfc\xff\xff\xff\x86"),
    "a size that is no number": array(shape=b"U\x014\x85"),
    "numbers that are objects": array(data=b"]K\x01a"),
    "an array called": b"cnumpy\nndarray\nK\x04\x85R.",
    "an array without values": b"}U\x04data" + GLOBAL + b"s.",
    "an attribute set on a function": b"cnumpy\ndtype\nN}U\x08__code__K\x01s\x86b.",
    "a state for a list": b"]K\x01\x85b.",
    "a key that takes for ever": b")" + b"2\x86" * 60 + b"}2K\x01s.",
    "a tuple as a key": b"}K\x01\x85K\x01s.",
    "a list that holds itself": b"]2a.",
    "text in an unknown code": b"c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0hex\x86R.",
    "nothing on the stack": b"R.",
    "a mark alone": b"(.",
    "a memo that is empty": b"h\x05.",
    "no end": b"}",
    "nothing": b"",
    "a huge text": b"T\xff\xff\xff\x7fabc.",
    "a huge number": b"\x8b\xff\xff\xff\x7fabc.",
    "a buffer outside": b"\x80\x05\x97.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused(name, tmp_path):
    data = HOSTILE[name]
    if name == "a list that holds itself":
        assert isinstance(_plain_pickle.loads(b"]q\0h\0a."), list)
    with pytest.raises(ValueError):
        _plain_pickle.loads(data)
    (tmp_path / "data_batch_1").write_bytes(data)
    with pytest.raises(DataError, match="data_batch_1 cannot be read"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("code", ["u1", "i8", ">i4", "f4", "?"])
def test_plain_values_are_what_pickle_wrote(protocol, code):
    if protocol == 0:
        values = {"a": [1, -2, 2**40, None, True, 1.5], "b": ("x", ())}
    else:
        array = np.arange(6).astype(code).reshape(2, 3)
        values = {"a": [1, -2, 2**40, None, True, 1.5], "b": ("x", (1, 2, 3)), "c": array.copy("F")}
        values |= {"d": array, "e": "\u00fc" * 300, "f": list(range(1000))}
    found = _plain_pickle.loads(pickle.dumps(values, protocol))
    assert found.keys() == values.keys()
    for key, value in values.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(found[key], value)
            assert found[key].dtype == value.dtype
        else:
            assert found[key] == value


def test_nothing_of_a_pickle_is_run_by_python():
    names = {name for name in vars(_plain_pickle) if name in ("pickle", "Unpickler", "loads")}
    assert names == {"loads"}
    known = {opcode.name.lower() for opcode in pickletools.opcodes}
    steps = {n[1:] for n in vars(_plain_pickle._Machine) if n[1:] in known}
    assert not steps & {"inst", "obj", "newobj", "newobj_ex", "persid", "binpersid", "ext1"}


# Sizes


def refusal_and_memory(path):
    """Opens a source that is refused; returns the message, and the peak of memory in MiB."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as refused:
            open_source(str(path))
        return str(refused.value), tracemalloc.get_traced_memory()[1] // 2**20
    finally:
        tracemalloc.stop()


def zeros_packed(size, pack=gzip):
    """Returns so many zeros, packed."""
    file = io.BytesIO()
    with pack.open(file, "wb") as packed:
        for _ in range(size // 2**20):
            packed.write(bytes(2**20))
    return file.getvalue()


def header_of(name, size, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("cifar/data_batch_1", tarfile.REGTYPE),
        ("cifar/readme.html", tarfile.REGTYPE),
        ("pax", tarfile.XHDTYPE),
        ("global", tarfile.XGLTYPE),
        ("long", tarfile.GNUTYPE_LONGNAME),
    ],
)
@pytest.mark.parametrize("pack", [gzip, bz2, lzma], ids=["gz", "bz2", "xz"])
def test_a_member_of_gigabytes_is_refused_by_its_size(name, kind, pack, tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(pack.compress(header_of(name, 2**31, kind)) + zeros_packed(2**22, pack))
    with pytest.raises(DataError, match=r"is of 2,147,483,648 bytes; no part of CIFAR"):
        open_source(str(path))


def test_an_archive_that_unpacks_to_gigabytes_takes_little_memory(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(header_of("data_batch_1", 2**28)) + zeros_packed(2**20))
    message, megabytes = refusal_and_memory(path)
    assert "a.tar.gz" in message
    assert megabytes < 300


def idx(*shape):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)


@pytest.mark.parametrize(
    "shape, body, message",
    [
        ((60000, 28, 28), 2**28, "holds 47040001 bytes or more, and its header says 60000 x 28"),
        ((2**32 - 1, 28, 28), 2**20, "unpacks to 4294967295 x 28 x 28 bytes by its header, more"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), 2**20, "more than the 2,147,483,648 that are taken"),
        ((2000, 1000, 1000), 2**20, "holds 1048576 bytes, and its header says 2000 x 1000 x 1000"),
    ],
)
def test_a_packed_idx_file_takes_what_its_header_says_at_most(shape, body, message, tmp_path):
    images = gzip.compress(idx(*shape)) + zeros_packed(body)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(images)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(1) + b"\0"))
    said, megabytes = refusal_and_memory(tmp_path)
    assert message in said
    assert megabytes < 200


def test_a_plain_idx_file_of_gigabytes_is_not_read_into_memory(tmp_path):
    with open(tmp_path / "train-images-idx3-ubyte", "wb") as file:
        file.write(idx(2**22, 32, 32))
        file.truncate(16 + 2**32)  # a hole, which takes no space on the disk
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(2**22) + bytes(2**22))
    tracemalloc.start()
    source = open_source(str(tmp_path))
    assert source.sizes == {"train": 2**22}
    assert source.image("train", 2**22 - 1).height == 32
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**28


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("target", ["data_batch_1", "nowhere", "/etc/passwd"])
def test_a_link_in_an_archive_is_not_followed(kind, target, tmp_path):
    member = tarfile.TarInfo("data_batch_1")
    member.type, member.linkname = kind, target
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(DataError, match="data_batch_1 is missing"):
        open_source(str(tmp_path / "a.tar"))


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"])
def test_a_pipe_among_idx_files_is_not_waited_for(name, tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(idx(1, 28, 28) + bytes(784))
    )
    if "labels" in name:
        os.mkfifo(tmp_path / name)
        with pytest.raises(DataError, match="labels-idx1-ubyte.gz is missing"):
            open_source(str(tmp_path))
        return
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(1) + b"\3")
    os.mkfifo(tmp_path / name)
    assert open_source(str(tmp_path)).sizes == {"train": 1}


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_a_pipe_or_a_device_is_no_source(make, tmp_path):
    make(tmp_path / "source")
    with pytest.raises(DataError, match="source is not a file or a folder, but a pipe or a device"):
        open_source(str(tmp_path / "source"))
