"""Which checkpoint of a folder is the newest, and what happens where that one is damaged."""

import os
import pathlib
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

import slimcore.checkpoints as checkpoints
from slimcore.errors import CheckpointError


def save(folder, *steps, name="model.ckpt"):
    for step in steps:
        values = {"step": np.int64(step), "w": np.full([50, 20], step, np.float32)}
        checkpoints.save(str(folder / f"{name}-{step}"), values)


def state(folder, newest, *others):
    lines = [f'model_checkpoint_path: "{newest}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in (*others, newest)]
    (folder / "checkpoint").write_text("\n".join(lines) + "\n")


def newest(folder):
    found = checkpoints.newest(str(folder))
    return found and os.path.basename(found)


def test_without_a_state_file_it_is_the_one_of_the_highest_step(tmp_path):
    assert newest(tmp_path) is None
    assert newest(tmp_path / "absent") is None
    save(tmp_path, 9, 10, 100)
    save(tmp_path, 9000, name="pretrained")
    assert newest(tmp_path) == "model.ckpt-100"
    assert checkpoints.latest is checkpoints.newest


def test_the_state_file_counts_as_in_tensorflow(tmp_path):
    save(tmp_path, 3, 5, 10)
    state(tmp_path, "model.ckpt-5", "model.ckpt-3", "model.ckpt-10")
    assert newest(tmp_path) == "model.ckpt-5"
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-5")
    names = [os.path.basename(path) for path in checkpoints.listed(str(tmp_path))]
    assert names == ["model.ckpt-3", "model.ckpt-5"]


@pytest.mark.parametrize("name", ["pretrained-9000", "weights"])
def test_the_state_file_may_name_a_checkpoint_of_any_name(tmp_path, name):
    save(tmp_path, 9001)
    checkpoints.save(str(tmp_path / name), {"step": np.int64(1)})
    state(tmp_path, name)
    assert newest(tmp_path) == name


def test_a_folder_that_was_moved_is_read_where_it_is(tmp_path):
    save(tmp_path / "one", 1, 2)
    state(tmp_path / "one", f"{tmp_path}/one/model.ckpt-1")
    shutil.move(tmp_path / "one", tmp_path / "two")
    assert newest(tmp_path / "two") == "model.ckpt-1"


@pytest.mark.parametrize("text", ["", "{{", "model_checkpoint_path: 7", "\x00\xff"])
def test_a_state_file_that_says_nothing_is_passed_over(tmp_path, text):
    save(tmp_path, 1, 2)
    (tmp_path / "checkpoint").write_bytes(text.encode("latin-1"))
    assert newest(tmp_path) == "model.ckpt-2"


def test_where_the_named_one_is_gone_it_is_the_newest_before_it_and_else_the_highest(tmp_path):
    save(tmp_path, 3, 4, 10)
    state(tmp_path, "model.ckpt-5")
    assert newest(tmp_path) == "model.ckpt-4"
    state(tmp_path, "model.ckpt-2")
    assert newest(tmp_path) == "model.ckpt-10"


def cut(path, share):
    contents = path.read_bytes()
    path.write_bytes(contents[: int(len(contents) * share)])


def flip(path, share=0.5):
    contents = bytearray(path.read_bytes())
    contents[int(len(contents) * share)] ^= 0xFF
    path.write_bytes(contents)


DATA = "model.ckpt-7.data-00000-of-00001"
DAMAGE = {
    "no data": lambda folder: (folder / DATA).unlink(),
    "empty data": lambda folder: cut(folder / DATA, 0),
    "half of the data": lambda folder: cut(folder / DATA, 0.5),
    "data without the last bytes": lambda folder: cut(folder / DATA, 0.999),
    "an empty index": lambda folder: cut(folder / "model.ckpt-7.index", 0),
    "half of the index": lambda folder: cut(folder / "model.ckpt-7.index", 0.5),
    "a flipped bit in the index": lambda folder: flip(folder / "model.ckpt-7.index", 0.1),
    "zeros for an index": lambda folder: (folder / "model.ckpt-7.index").write_bytes(bytes(200)),
}


@pytest.mark.parametrize("harm", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_one_is_passed_over_with_a_line_that_says_so_once(tmp_path, harm):
    save(tmp_path, 3, 5, 7)
    state(tmp_path, "model.ckpt-7", "model.ckpt-5", "model.ckpt-3")
    harm(tmp_path)
    text = r"model.ckpt-7 is damaged \(.+\); .*model.ckpt-5, the newest before it that is whole"
    with pytest.warns(RuntimeWarning, match=text):
        found = newest(tmp_path)
    assert found == "model.ckpt-5"
    assert newest(tmp_path) == "model.ckpt-5"  # without a warning, which would be an error


def test_a_flipped_bit_in_the_data_is_found_when_they_are_read(tmp_path):
    save(tmp_path, 3, 5, 7)
    for step in (5, 7):
        flip(tmp_path / f"model.ckpt-{step}.data-00000-of-00001")
    assert newest(tmp_path) == "model.ckpt-7"  # to look at the data would be to read them

    def restore(path):
        return checkpoints.load(path).get_tensor("w")

    with pytest.warns(
        RuntimeWarning, match="model.ckpt-[57] is damaged .a value is not as"
    ) as told:
        path, value = checkpoints.restore_newest(str(tmp_path), restore)
    assert (os.path.basename(path), value[0, 0], len(told)) == ("model.ckpt-3", 3, 2)


def test_what_does_not_fit_a_whole_one_is_no_damage(tmp_path):
    save(tmp_path, 3, 5)
    variables = {"other": tf.Variable(0.0)}
    with pytest.raises(CheckpointError, match="model.ckpt-5 does not fit: other is not in it"):
        checkpoints.restore_newest(str(tmp_path), lambda path: checkpoints.plan(path, variables))


def test_where_all_are_damaged_nothing_is_taken_for_a_new_run(tmp_path):
    save(tmp_path, 3, 5)
    for index in tmp_path.glob("*.index"):
        index.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint in .* is whole; .*-5, cannot be read"):
        newest(tmp_path)


def test_shards_partitions_and_strings_are_whole(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        partitioned = tf.compat.v1.fixed_size_partitioner(3)
        tf.compat.v1.get_variable("w", [30, 7], partitioner=partitioned, use_resource=True)
        tf.compat.v1.get_variable("s", initializer=tf.constant(["one", "two"]), use_resource=True)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(sharded=True).save(session, f"{tmp_path}/model.ckpt", 4)
    assert newest(tmp_path) == "model.ckpt-4"
    assert checkpoints.damage(str(tmp_path / "model.ckpt-4"), every_value=True) is None


def test_a_prefix_that_is_also_a_folder_is_a_prefix(tmp_path):
    save(tmp_path, 3)
    save(tmp_path / "model.ckpt-3", 99)
    assert checkpoints.load(str(tmp_path / "model.ckpt-3")).get_tensor("step") == 3


def test_a_folder_with_other_checkpoints_names_them(tmp_path):
    save(tmp_path, 9000, name="pretrained")
    with pytest.raises(CheckpointError, match="holds pretrained-9000: give .*/pretrained-9000"):
        checkpoints.load(str(tmp_path))


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_one_of_the_files_of_a_checkpoint_is_told_from_its_prefix(tmp_path, suffix):
    save(tmp_path, 3)
    with pytest.raises(CheckpointError, match=r"files of a checkpoint; give .*/model.ckpt-3$"):
        checkpoints.load(f"{tmp_path}/model.ckpt-3.{suffix}")


def h5(path):
    with h5py.File(path, "w") as file:
        file["dense/kernel"] = np.zeros([2, 2])


def keras(path):
    tf.keras.Sequential([tf.keras.Input([2]), tf.keras.layers.Dense(1)]).save(path)


def safetensors(path):
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


def frozen(path):
    with tf.Graph().as_default() as graph:
        tf.constant(1.0, name="w")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def saved_model(path):
    tf.saved_model.save(tf.Module(), str(path))


FOREIGN = {
    "weights.h5": (h5, "HDF5 file, such as Keras writes .* load_weights of a Keras model reads it"),
    "model.keras": (keras, "Keras model .*, which tf.keras.models.load_model reads"),
    "m.safetensors": (safetensors, "safetensors file: safetensors.numpy.load_file reads it"),
    "frozen.pb": (frozen, "graph .GraphDef.*: tf.compat.v1.import_graph_def reads it"),
    "exported": (saved_model, "SavedModel, which tf.saved_model.load reads"),
    "arrays.npz": (lambda path: np.savez(path, w=1), "arrays of NumPy .*numpy.load reads them"),
    "model.pt": (lambda path: path.write_bytes(b"\x80\x02}q."), "pickle, such as PyTorch writes"),
}


# Keras saves by NumPy arrays of TensorFlow tensors, which NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_format_is_recognized_and_the_error_says_what_reads_it(tmp_path, name):
    write, text = FOREIGN[name]
    write(tmp_path / name)
    with pytest.raises(CheckpointError, match=text):
        checkpoints.plan(str(tmp_path / name), {"w": tf.Variable(0.0)})


@pytest.mark.parametrize("contents", [b"", b"text", b"\n\n\n", b"PK\x03\x04", bytes(100)])
def test_any_other_file_is_no_checkpoint(tmp_path, contents):
    path = pathlib.Path(tmp_path, "weights")
    path.write_bytes(contents)
    with pytest.raises(CheckpointError, match=f"cannot read checkpoint {path}: "):
        checkpoints.load(str(path))


def test_a_checkpoint_by_objects_is_recognized(tmp_path):
    path = tf.train.Checkpoint(w=tf.Variable(1.0)).save(str(tmp_path / "ckpt"))
    mine = {"w": tf.Variable(0.0)}
    with pytest.raises(CheckpointError, match="by objects and not by names, and tf.train.Check"):
        checkpoints.plan(path, mine)
    key = "{}/.ATTRIBUTES/VARIABLE_VALUE"
    checkpoints.plan(path, mine, rename=key.format).assign(mine)
    assert mine["w"].numpy() == 1.0


@pytest.mark.parametrize(
    ("rename", "sought", "close"),
    [
        ({"fc": "nothere"}, "nothere/weights", r" \(close there: fc/weights\)"),
        ({"fc/weights": "fc/kernel"}, "fc/kernel", r" \(close there: fc/weights\)"),
        (lambda name: f"model/{name}", "model/fc/weights", r" \(close there: fc/weights\)"),
        (lambda name: "fc/weight", "fc/weight", r" \(close there: fc/weights\)"),
    ],
    ids=["a scope", "a name", "a function", "a typing error"],
)
def test_what_was_looked_for_is_said(tmp_path, rename, sought, close):
    path = checkpoints.save(str(tmp_path / "m"), {"fc/weights": np.float32(1)})
    mine = {"fc/weights": tf.Variable(0.0)}
    told = f"{sought}, which fc/weights is to be read from, is not in it{close}. Rename"
    with pytest.raises(CheckpointError, match=told):
        checkpoints.plan(path, mine, rename=rename)
    report = str(checkpoints.plan(path, mine, rename=rename, strict=False))
    assert f"missing      fc/weights [] from {sought}" in report
