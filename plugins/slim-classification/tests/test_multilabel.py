"""The task `multilabel`, beside scikit-learn, and trained on digits with several labels each."""

import json

import numpy as np
import pytest
import sklearn.metrics as truth
import tensorflow as tf
from slim_classification import Multilabel
from slim_classification._average_precision import BUCKETS, LIMIT

import slimcore as slim
from slimcore.errors import InputError

# What is true of a digit: even, above 4, and written with a loop.
TAGS = {0: [0, 2], 1: [], 2: [0], 3: [], 4: [0], 5: [1], 6: [0, 1, 2], 7: [1], 8: [0, 1, 2],
        9: [1, 2]}  # fmt: skip
NAMES = ("even", "large", "loop")


def evaluated(task, outputs, labels, batch_size=32):
    module = slim.Module(
        lambda outputs, labels: slim.metrics.aggregate_metric_map(
            task.metrics({"label": labels}, outputs)
        )
    )
    for i in range(0, len(outputs), batch_size):
        part = slice(i, i + batch_size)
        module(tf.constant(outputs[part]), tf.constant(labels[part]))
    values = slim.metrics.current_values(module)
    return task.report({name: value.numpy() for name, value in values.items()})


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_a_report_is_that_of_scikit_learn(threshold):
    random = np.random.RandomState(0)
    labels = (random.rand(200, 5) < [0.5, 0.3, 0.1, 0.8, 0.0]).astype("f")
    logits = (random.randn(200, 5) * 3 + labels).astype("f")
    report = evaluated(Multilabel(5, threshold=threshold), logits, labels)
    # Equal within a bucket, scores are those of the bucket.
    buckets = np.floor((logits + LIMIT) * (BUCKETS / (2 * LIMIT)))
    found = 1 / (1 + np.exp(-logits.astype("d"))) > threshold
    average = [truth.average_precision_score(labels[:, i], buckets[:, i]) for i in range(4)]
    exact = [truth.average_precision_score(labels[:, i], logits[:, i]) for i in range(4)]
    precision, recall, f1, _ = truth.precision_recall_fscore_support(
        labels, found, zero_division=np.nan
    )
    for i, row in enumerate(report["classes"][:4]):
        assert row["average_precision"] == pytest.approx(average[i], rel=1e-5)
        assert row["average_precision"] == pytest.approx(exact[i], abs=5e-3)
        assert row["precision"] == pytest.approx(precision[i])
        assert row["recall"] == pytest.approx(recall[i])
        assert row["f1"] == pytest.approx(f1[i])
    # The last class never applies.
    assert report["classes"][4]["average_precision"] is None
    assert report["classes"][4]["recall"] is None
    assert report["mean_average_precision"] == pytest.approx(np.mean(average), rel=1e-5)
    assert report["f1"] == pytest.approx(truth.f1_score(labels, found, average="micro"))
    macro = truth.f1_score(labels, found, average="macro", zero_division=0)
    assert report["macro_f1"] == pytest.approx(macro)
    shares = 1 / (1 + np.exp(-logits.astype("d")))
    loss = -np.mean(labels * np.log(shares) + (1 - labels) * np.log(1 - shares))
    assert report["loss"] == pytest.approx(loss, rel=1e-5)
    with slim.collecting():
        assert float(
            Multilabel(5).loss({"label": labels}, tf.constant(logits), {})
        ) == pytest.approx(loss, rel=1e-5)


def test_labels_are_vectors_or_the_numbers_of_classes():
    task = Multilabel(4)
    wanted = [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    ragged = tf.ragged.constant([[3, 0, 3], [], [1]], dtype=tf.int64)
    for given in (ragged, ragged.to_sparse(), tf.constant(wanted, tf.int64)):
        np.testing.assert_array_equal(task.prepare({"label": given})["label"], wanted)
    with pytest.raises(InputError, match=r"has the shape \(3,\) for one .* of 4 zeros"):
        task.prepare({"label": tf.zeros([2, 3])})
    with pytest.raises(tf.errors.InvalidArgumentError, match="not one of the classes, 0 to 3"):
        task.prepare({"label": tf.ragged.constant([[4]], dtype=tf.int64)})


def test_the_classes_predicted_are_named_likeliest_first():
    task = Multilabel(3, NAMES, threshold=0.4)
    predicted = task.predict(tf.constant([[0.0, -5.0, 3.0], [-1.0, -1.0, -1.0]]))
    each = [{name: value[i].numpy() for name, value in predicted.items()} for i in range(2)]
    assert task.describe(each[0], 3) == "loop 95.3%  even 50.0%"
    assert task.describe(each[0], 1) == "loop 95.3%"
    assert task.describe(each[1], 3) == "none"


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.0])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(InputError, match=f"threshold is {threshold}; give one between 0 and 1"):
        Multilabel.for_dataset(slim.data.get_dataset("digits"), threshold=threshold)


@pytest.fixture
def tagged(tmp_path, tiny_net):
    """Registers `tagged`: digits with the numbers of the tags that apply, in TFRecords."""
    for split in ("train", "test"):
        (batch,) = slim.data.load("digits", split, 1500, image_size=8, shuffle=False)
        with tf.io.TFRecordWriter(str(tmp_path / f"{split}.tfrecord")) as writer:
            images = tf.cast(batch["image"], tf.uint8)
            for image, label in zip(images, batch["label"].numpy(), strict=True):
                example = tf.train.Example()
                features = example.features.feature
                features["image/encoded"].bytes_list.value.append(tf.io.encode_png(image).numpy())
                features["tags"].int64_list.value.extend(TAGS[label])
                writer.write(example.SerializeToString())

    def tagged_digits(split, dataset_dir=None):
        decoders = slim.tfexample_decoder
        decoder = decoders.TFExampleDecoder(
            {
                "image/encoded": tf.io.FixedLenFeature([], tf.string),
                "image/format": tf.io.FixedLenFeature([], tf.string, "png"),
                "tags": tf.io.VarLenFeature(tf.int64),
            },
            {
                "image": decoders.Image(shape=[8, 8, 1], channels=1),
                "tags": decoders.ItemHandlerCallback("tags", lambda found: found["tags"]),
            },
        )
        return slim.dataset.Dataset(
            str(tmp_path / f"{split}.tfrecord"),
            tf.compat.v1.TFRecordReader,
            decoder,
            None,
            {"image": "A digit.", "tags": "What is true of it."},
            num_classes=3,
            labels_to_names=dict(enumerate(NAMES)),
            name="tagged",
        )

    slim.register_dataset("tagged")(tagged_digits)
    return ("--net", tiny_net, "--dataset", "tagged", "--seed", 1)


# The dataset does not say how many examples it has.
@pytest.mark.filterwarnings("ignore:where an epoch of the dataset ends:RuntimeWarning")
def test_tags_are_learnt_evaluated_predicted_and_exported(slim_main, tagged, tmp_path):
    logdir = tmp_path / "run"
    task = ("--task", "multilabel", "--task-option", "item=tags", "--task-option", "threshold=0.4")
    best = ("--eval-every", 100, "--keep-best", "mean_average_precision")
    train = ("train", *task, *tagged, *best, "--logdir", logdir, "--learning-rate", 0.01)
    status, _, errors = slim_main(*train, "--steps", 200)
    assert status == 0, errors
    status, said, errors = slim_main("eval", "--logdir", logdir)
    assert status == 0, errors
    results = json.loads((logdir / "eval" / "results.json").read_text())
    assert results["threshold"] == 0.4
    assert results["mean_average_precision"] > 0.9
    assert f"F1 {results['f1']:.4f} at 0.4 on 355 examples (test), step 200" in said
    assert "large" in said
    record = json.loads((logdir / "run.json").read_text())
    assert record["results"]["eval test"]["f1"] == results["f1"]
    assert "mean_average_precision" in json.loads((logdir / "best.json").read_text())

    status, _, errors = slim_main("export", "--logdir", logdir, "--to", tmp_path / "export")
    assert status == 0, errors
    (batch,) = slim.data.load("digits", "test", 355, image_size=8, shuffle=False)
    serve = tf.saved_model.load(str(tmp_path / "export")).signatures["serving_default"]
    found = serve(tf.cast(batch["image"], tf.uint8))["predicted"].numpy()
    wanted = np.array([[i in TAGS[label] for i in range(3)] for label in batch["label"].numpy()])
    assert truth.f1_score(wanted, found, average="micro") == pytest.approx(results["f1"])

    path = tmp_path / "digit.png"
    path.write_bytes(tf.io.encode_png(tf.cast(batch["image"][0], tf.uint8)).numpy())
    _, said, _ = slim_main("predict", "--logdir", logdir, "--top", 3, path)
    names = {word for word in said.split(": ")[1].split() if "%" not in word}
    assert names == ({NAMES[i] for i in range(3) if found[0][i]} or {"none"})


def test_an_item_that_is_not_there_is_named_with_those_that_are(slim_main, tagged, tmp_path):
    command = ("train", "--task", "multilabel", *tagged, "--logdir", tmp_path / "run")
    status, _, errors = slim_main(*command, "--steps", 1)
    assert (status, "no item 'label'" in errors, "tags" in errors) == (2, True, True)
