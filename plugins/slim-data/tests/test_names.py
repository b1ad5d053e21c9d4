"""Names of folders, files and classes, whatever they are: the right label, or a clear error."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from slim_data._convert import convert
from slim_data._convert_sources import open_source

import slimcore as slim
from slimcore.errors import DataError, InputError

CLASSES = ["cat", "dog", "eel"]


def write_image(path, brightness):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full([4, 4, 3], brightness, np.uint8)
    path.write_bytes(tf.io.encode_png(pixels).numpy())


@pytest.fixture
def animals(tmp_path):
    """Three classes of two images, whose brightness is ten times their label."""
    root = tmp_path / "my animals"
    for label, name in enumerate(CLASSES):
        for number in range(2):
            write_image(root / name / f"{number}.png", 10 * label)
    return root


def assert_right_labels(folder, count=6, classes=CLASSES):
    """Compares labels with the names of the folders; pixels are decoded elsewhere, being slow."""
    dataset = slim.data.get_dataset("image_folder", "all", str(folder))
    assert list(dataset.labels_to_names.values()) == classes
    batches = slim.data.load(dataset, batch_size=100, items=["label", "filename"])
    found = [
        (os.path.relpath(path.decode(), folder).split(os.sep)[0], classes[label])
        for batch in slim.data.iterate(batches)
        for path, label in zip(batch["filename"].numpy(), batch["label"].numpy(), strict=True)
    ]
    assert len(found) == count
    assert all(name == label for name, label in found)


SPELLINGS = [".", "./", "././", "..//my animals", "../my animals/", "../my animals/.", "cat/.."]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_any_spelling_of_a_folder_gives_the_right_labels(spelling, animals, monkeypatch):
    monkeypatch.chdir(animals)
    assert_right_labels(spelling)


def test_absolute_paths_and_links_give_the_right_labels(animals, tmp_path):
    (tmp_path / "link").symlink_to(animals)
    (tmp_path / "more").mkdir()
    (tmp_path / "moved").mkdir()
    (animals / "eel").rename(tmp_path / "moved" / "fish")
    (animals / "eel").symlink_to(tmp_path / "moved" / "fish")
    for folder in (animals, f"{animals}/", f"//{str(animals)[1:]}", tmp_path / "link"):
        assert_right_labels(folder)
    (animals / "eel" / "again").symlink_to(animals / "eel")  # a circle
    (animals / "dog" / "more").symlink_to(tmp_path / "more")
    write_image(tmp_path / "more" / "2.png", 10)
    assert_right_labels(animals, 7)


def test_the_program_counts_the_classes_of_the_folder_it_is_in(animals):
    command = [sys.executable, "-m", "slimcore.cli", "data", "stats", "image_folder"]
    done = subprocess.run(
        [*command, "--dataset-dir", ".", "--split", "all"],
        cwd=animals, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for label, name in enumerate(CLASSES):
        assert f"  {label}  {name}         2   33.3%\n" in done.stdout


ODD = [
    "a\nb", "a\\b", "d\\og\n", "d\\og", "*", "[x]", "?", "{a,b}", "a'b\"c", "$HOME", "-rf", "%s",
    "~", "c:",
    "\u00fc", "u\u0308", "\u732b", "\u2028", "\x1b[2J", "[red]x[bold]", "a b ", " ", "#", "a.b.c",
    "x" * 200, "train\t", "\\", "(?s).*",
]  # fmt: skip


def test_any_name_of_a_file_or_a_class_gives_the_right_label(tmp_path):
    root = tmp_path / "images"
    for name in ODD:
        for file in ("a.png", f"{name}.png"):
            write_image(root / name / file, ODD.index(name))
    assert_right_labels(root, 2 * len(ODD), sorted(ODD))


def test_any_name_without_a_line_break_is_converted_and_read_back(tmp_path):
    root, names = tmp_path / "images", sorted(name for name in ODD if "\n" not in name)
    for label, name in enumerate(names):
        for file in ("a.png", f"{name}.png"):
            write_image(root / name / file, label)
    for number, name in enumerate(names[:4]):
        folder = tmp_path / f"{number} {name}" / "records"
        convert(open_source(str(root)), str(folder))
        dataset = slim.data.get_dataset("converted", "train", str(folder))
        assert list(dataset.labels_to_names.values()) == names
    count = 0
    for batch in slim.data.iterate(slim.data.load(dataset, batch_size=100)):
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], batch["label"])
        count += len(batch["label"])
    assert count == dataset.num_samples


@pytest.mark.parametrize("folder", ["[x]", "a*", "what?", "back\\slash", "new\nline"])
def test_a_folder_named_like_a_pattern_is_that_folder(
    folder, tmp_path, write_records, digit_records
):
    write_records(tmp_path / folder / "digits_test.tfrecord", digit_records)
    write_records(tmp_path / "x" / "digits_test.tfrecord", digit_records * 2)
    batches = slim.data.load("digits", "test", 50, dataset_dir=str(tmp_path / folder))
    assert sum(len(batch["label"]) for batch in batches) == 20


@pytest.mark.parametrize("place", ["cat/\udcff.png", "\udcff/a.png"], ids=["file", "class"])
def test_a_name_that_is_not_text_is_refused(place, animals):
    write_image(animals / place, 0)
    with pytest.raises(DataError, match=r"the name \\udcff(.png)? in .* is not UTF-8"):
        slim.data.get_dataset("image_folder", "all", str(animals))


def test_hidden_files_and_folders_are_passed_over(animals):
    for place in (".git/a.png", "cat/.a.png", "cat/.thumbnails/a.png"):
        write_image(animals / place, 200)
    assert_right_labels(animals)


def test_classes_that_look_alike_are_told_apart(tmp_path):
    for split, name in (("train", "\u00fc"), ("test", "u\u0308")):
        write_image(tmp_path / split / name / "a.png", 0)
    with pytest.raises(DataError, match=r"different classes: 'u\\u0308', '\\xfc' are each"):
        slim.data.get_dataset("image_folder", "train", str(tmp_path))


@pytest.mark.parametrize(
    "path", ["/elsewhere/cat/a.png", "cat/a.png", "", "{root}/cow/a.png", "{root}"]
)
def test_a_path_in_no_class_folder_has_no_label(path, animals):
    decoder = slim.data.get_dataset("image_folder", "all", str(animals)).decoder
    path = path.replace("{root}", str(animals))
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not in one of the class folders"):
        decoder.parse(tf.constant(path))
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        label = decoder.parse(tf.constant(path))["image/class/label"]
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(label)


def test_a_provider_gives_the_labels_of_the_folders(animals, monkeypatch):
    monkeypatch.chdir(animals)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        dataset = slim.data.get_dataset("image_folder", "all", ".")
        fetches = slim.DatasetDataProvider(dataset, shuffle=False).get(["image", "label"])
        coordinator = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(session, coordinator)
        pairs = [session.run(fetches) for _ in range(6)]
        coordinator.request_stop()
        coordinator.join(threads, ignore_live_threads=True)
    assert [int(label) for _, label in pairs] == [0, 0, 1, 1, 2, 2]
    assert all(image.max() == 10 * label for image, label in pairs)


def test_a_folder_far_away_is_refused_in_words():
    with pytest.raises(DataError, match="reads local folders, not gs://bucket/images"):
        slim.data.get_dataset("image_folder", "train", "gs://bucket/images")


# labels.txt


def converted_with(labels, animals, folder):
    convert(open_source(str(animals)), str(folder), name="animals")
    (folder / "labels.txt").write_bytes(labels)
    return slim.data.get_dataset("converted", "train", str(folder))


@pytest.mark.parametrize(
    "text",
    [
        b"0:cat\n1:dog\n2:eel\n",
        b"\xef\xbb\xbf0:cat\r\n1:dog\r\n2:eel\r\n",
        b"2:eel\n\n0:cat\n1:dog",
        b" 0 :cat\n1:dog\n2:eel\n",
    ],
)
def test_labels_are_read(text, animals, tmp_path):
    dataset = converted_with(text, animals, tmp_path / "records")
    assert dataset.labels_to_names == dict(enumerate(CLASSES))


def test_a_name_may_hold_anything_but_a_line_break(animals, tmp_path):
    text = "0:a:b \u2028\x0b\x85\n1:$\\frac$\n2:\x1b[2J\n"
    dataset = converted_with(text.encode(), animals, tmp_path / "records")
    assert list(dataset.labels_to_names.values()) == ["a:b \u2028\x0b\x85", "$\\frac$", "\x1b[2J"]


@pytest.mark.parametrize(
    "text, message",
    [
        (b"0:cat\n2:eel\n", "labels.txt has no line for label 1"),
        (b"0:cat\n1:dog\n", "labels.txt has no line for label 2"),
        (b"", "labels.txt has no line for label 0 and 2 more"),
        (b"0:cat\n1:dog\n2:eel\n3:fly\n", "line 4: the label 3 is not one of 0 to 2"),
        (b"0:cat\n1:dog\n1:eel\n", "line 3: the label 1 has a name already"),
        (b"0:cat\n1:dog\n2:gr\xfcn\n", "labels.txt, line 3 is not UTF-8"),
        (b"\xff\xfe0\0:\0c\0", "labels.txt, line 1 is not UTF-8"),
        (b"0:cat\n1:\n2:eel\n", "line 2: '1:' is not of the form 0:name"),
        ("0:cat\n\u00b2:dog\n".encode(), "line 2: .* is not of the form 0:name"),
        (b"0:cat\n-1:dog\n", "line 2: '-1:dog' is not of the form"),
        (b"0:cat\n\x1b[2J\n", r"line 2: '.*\\x1b\[2J' is not of the form"),
        (b"0:cat\n99999999999999:dog\n", "is not of the form"),
    ],
)  # fmt: skip
def test_labels_that_are_wrong_are_refused(text, message, animals, tmp_path):
    with pytest.raises(DataError, match=message):
        converted_with(text, animals, tmp_path / "records")


def test_a_folder_that_holds_a_line_break_leads_to_nothing_written(animals, tmp_path):
    (animals / "dog").rename(animals / "d\nog")
    with pytest.raises(DataError, match=r"the class 'd.*nog' cannot be a line of labels.txt"):
        convert(open_source(str(animals)), str(tmp_path / "records"))
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("name", ["a/b", "../a", "a\nb", "", "x" * 101, "a\0"])
def test_a_name_that_no_file_can_have_is_refused(name, animals, tmp_path):
    source = open_source(str(animals))
    if not name:
        assert convert(source, str(tmp_path / "records"), name=name).name == "my_animals"
        return
    with pytest.raises(InputError, match="cannot be part of a file's name"):
        convert(source, str(tmp_path / "records"), name=name)


def test_a_label_beyond_the_classes_of_the_manifest_is_refused(animals, tmp_path):
    folder = tmp_path / "records"
    convert(open_source(str(animals)), str(folder))
    manifest = (folder / "manifest.json").read_text().replace(',\n    "eel"', "")
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(DataError, match="label 2 is not one of 0 to 1"):
        slim.data.get_dataset("converted", "train", str(folder))
    (folder / "labels.txt").unlink()
    batches = slim.data.load("converted", "train", 1, dataset_dir=str(folder))
    with pytest.raises(DataError, match="label is not one of 0 to 1: 2"):
        list(slim.data.iterate(batches))


# What is shown


ESCAPES = ["\x1b[2J", "\x9b31m", "a\rb", "[x]", "[red]x[bold]", "$\\frac$", "\u202egnp"]


@pytest.mark.parametrize("name", ESCAPES, ids=ascii)
def test_names_are_shown_and_not_obeyed(name, tmp_path, monkeypatch, capfd):
    from slimcore.cli import main
    from slimcore.text import shown

    for class_name in ("cat", name):
        write_image(tmp_path / "images" / class_name / "a.png", 0)
    (tmp_path / "images" / name / "notes.txt").write_text("not an image")
    folder = ["image_folder", "--split", "all", "--dataset-dir", str(tmp_path / "images")]
    for command in (
        ["stats", *folder, "--skip-corrupt", "1"],
        ["show", *folder, "--skip-corrupt", "1", "--to", str(tmp_path / "sheet.png")],
    ):
        monkeypatch.setattr(sys, "argv", ["slim", "data", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert not ended.value.code, said.err
        lines = said.out.split(os.linesep)
        if command[0] == "stats":
            assert any(shown(name) in line for line in lines)
            for character in name:
                assert character.isprintable() or character not in said.out + said.err
