"""`slim data`: convert images, and look at datasets."""

import contextlib
import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from slimcore.text import shown

if TYPE_CHECKING:
    from slim_data.dataset import Dataset


@click.group()
def data() -> None:
    """Convert images to TFRecords, and look at datasets."""


_skip_corrupt = click.option(
    "--skip-corrupt",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Leave out up to N unreadable examples, and name each.",
)


@data.command()
@click.argument("source")
@click.option("--to", "folder", required=True, help="Folder to write the TFRecords to.")
@click.option("--name", help="Name of the dataset.  [default: the source's]")
@click.option(
    "--shards",
    type=click.IntRange(1),
    help="Number of files per split.  [default: files of about 128 MiB]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Number of files to write at a time.  [default: one per processor]",
)
@_skip_corrupt
def convert(
    source: str,
    folder: str,
    name: str | None,
    shards: int | None,
    jobs: int | None,
    skip_corrupt: int,
) -> None:
    """Convert SOURCE to TFRecords with a manifest, or resume a conversion that was stopped.

    SOURCE is a folder with IDX files (MNIST and similar), a CIFAR archive or its unpacked folder,
    or a folder with one folder of images per class, which may be inside train and test folders.
    """
    from slim_data._convert import convert as convert_source
    from slim_data._convert_sources import open_source

    opened = open_source(source)
    with _progress("Converting", sum(opened.sizes.values())) as advance:
        manifest = convert_source(opened, folder, name, shards, jobs, skip_corrupt, advance, _tell)
    for split, part in manifest.splits.items():
        click.echo(f"{split}: {part.examples} examples in {len(part.shards)} files")
    known = ("mnist", "fashion_mnist", "cifar10", "cifar100")
    dataset = manifest.name if manifest.name in known else "converted"
    click.echo(f"Written to {shown(folder)}")
    click.echo(f"Use it with --dataset {dataset} --dataset-dir {shlex.quote(shown(folder))}")


_dataset = click.argument("dataset")
_dataset_dir = click.option("--dataset-dir", help="Folder with its files, unless it is bundled.")
_split = click.option("--split", default="train", show_default=True, help="Split to read.")


@data.command()
@_dataset
@_dataset_dir
@_split
@click.option("--to", "path", default="examples.png", show_default=True, help="PNG to write.")
@click.option(
    "--count",
    type=click.IntRange(1, 400),
    default=36,
    show_default=True,
    help="Number of examples to draw.",
)
@click.option(
    "--seed", type=int, help="Seed for choosing examples at random.  [default: the first ones]"
)
@_skip_corrupt
def show(
    dataset: str,
    dataset_dir: str | None,
    split: str,
    path: str,
    count: int,
    seed: int | None,
    skip_corrupt: int,
) -> None:
    """Draw examples of DATASET, with their labels, into one PNG."""
    from slim_data._contact_sheet import contact_sheet
    from slim_data._pipeline import get_dataset

    described = get_dataset(dataset, split, dataset_dir)
    drawn = contact_sheet(described, path, count, seed, skip_corrupt)
    click.echo(f"Written to {shown(path)}: {drawn} examples")


@data.command()
@_dataset
@_dataset_dir
@_split
@_skip_corrupt
def stats(dataset: str, dataset_dir: str | None, split: str, skip_corrupt: int) -> None:
    """Count the classes and image sizes of DATASET, and compute pixel mean and deviation."""
    import slim_data._manifest as manifest
    from slim_data._pipeline import get_dataset
    from slim_data._record_files import find_files
    from slim_data._statistics import statistics

    described = get_dataset(dataset, split, dataset_dir)
    if not skip_corrupt:
        manifest.check(find_files(described.data_sources, f"dataset {dataset}"), limit=None)
    with _progress("Reading", described.num_samples) as advance:
        found = statistics(described, skip_corrupt, advance)
    _print_statistics(described, found)


def _print_statistics(described: "Dataset", found: Any) -> None:
    names = getattr(described, "labels_to_names", None) or {}
    click.echo(f"{found.examples} examples")
    names = {label: shown(names.get(label, label)) for label in found.labels}
    width = max((len(name) for name in names.values()), default=0)
    for label, count in sorted(found.labels.items()):
        share = count / found.examples
        click.echo(f"  {label:>5}  {names[label]:<{width}}  {count:>8}  {share:6.1%}")
    sizes = found.sizes.most_common(5)
    others = len(found.sizes) - len(sizes)
    more = f", and {others} more sizes" if others else ""
    measured = ", ".join(f"{height} x {width} ({count})" for (height, width), count in sizes)
    click.echo(f"Height x width: {measured}{more}")
    channels = ", ".join(f"{n} ({count})" for n, count in sorted(found.channels.items()))
    click.echo(f"Channels: {channels}")
    if found.mean:
        click.echo(f"Mean: {' '.join(f'{value:.2f}' for value in found.mean)}")
        click.echo(f"Standard deviation: {' '.join(f'{value:.2f}' for value in found.std)}")


def _tell(line: str) -> None:
    click.echo(f"slim: {shown(line)}", err=True)


@contextlib.contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar, and yields a function that moves it by a number of examples."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
