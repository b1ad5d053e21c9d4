"""`slim export`."""

import click

from slim_learning.commands.options import folder as a_folder
from slimcore.text import shown


@click.command()
@click.option("--logdir", required=True, callback=a_folder, help="Folder of the run.")
@click.option(
    "--to", "folder", required=True, callback=a_folder, help="New folder for the SavedModel."
)
@click.option("--averaged", is_flag=True, help="Use the moving averages of the weights.")
@click.option(
    "--frozen", is_flag=True, help="Turn the weights into constants, which is faster on a CPU."
)
def export(logdir: str, folder: str, averaged: bool, frozen: bool) -> None:
    """Write the newest checkpoint of a run as a SavedModel, preprocessing included.

    Plain TensorFlow loads it. Its signature `serving_default` takes images, uint8 [batch, height,
    width, channels]; `encoded` takes the bytes of image files, string [batch]. Both return what the
    task predicts: in classification, logits, probabilities, classes and their labels. With
    constant weights it cannot be trained further.
    """
    from slim_learning.commands.inference import Inference, save
    from slim_learning.commands.setup import recorded_setup

    setup = recorded_setup(logdir)
    model, path = setup.restored_model(logdir, averaged)
    save(Inference(setup, model, frozen), folder)
    click.echo(shown(f"{path} is now the SavedModel {folder}"))
