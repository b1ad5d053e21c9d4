"""`slim predict`."""

import click

from slim_learning.commands.options import folder


@click.command()
@click.option("--logdir", required=True, callback=folder, help="Folder of the run.")
@click.option(
    "--top",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Number of classes to show.",
)
@click.option("--averaged", is_flag=True, help="Use the moving averages of the weights.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.pass_context
def predict(
    ctx: click.Context, logdir: str, top: int, averaged: bool, images: tuple[str, ...]
) -> None:
    """Predict from image files with the newest checkpoint of a run.

    Files that cannot be read are listed at the end, and the exit status is then 1.
    """
    from slim_learning.commands.inference import Inference, require_file
    from slim_learning.commands.setup import recorded_setup
    from slimcore.errors import DataError
    from slimcore.text import shown

    for path in images:
        require_file(path)
    setup = recorded_setup(logdir)
    model, _ = setup.restored_model(logdir, averaged)
    inference = Inference(setup, model)
    unreadable = []
    for path in images:
        try:
            prediction = inference.predict_file(path)
        except DataError as error:
            unreadable.append(f"{shown(path)} {error}")
        else:
            click.echo(f"{shown(path)}: {shown(setup.task.describe(prediction, top))}")
    for line in unreadable:
        click.echo(f"slim: {line}", err=True)
    if unreadable:
        ctx.exit(1)
