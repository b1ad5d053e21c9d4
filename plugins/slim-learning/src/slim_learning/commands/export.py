"""`slim export`."""

import click


@click.command()
@click.option("--logdir", required=True, help="The run's folder.")
@click.option("--to", "folder", required=True, help="The new folder of the SavedModel.")
@click.option("--averaged", is_flag=True, help="Take the moving averages of the weights.")
@click.option("--frozen", is_flag=True, help="Make the weights constants; faster on a CPU.")
def export(logdir: str, folder: str, averaged: bool, frozen: bool) -> None:
    """Write the newest checkpoint of a run as a SavedModel, preprocessing included.

    Plain TensorFlow loads it. Its signature `serving_default` takes images, uint8 [batch, height,
    width, channels]; `encoded` takes the bytes of image files, string [batch]. Both return logits,
    probabilities, classes and their labels. Constant weights are no variables, so that it cannot be
    trained on.
    """
    from slim_learning.inference import Inference, save
    from slim_learning.run import run_record as record
    from slim_learning.tasks import recorded_task

    task = recorded_task(record.read(logdir), logdir)
    model, path = task.restored_model(logdir, averaged)
    save(Inference(task, model, frozen), folder)
    click.echo(f"{path} is now the SavedModel {folder}")
