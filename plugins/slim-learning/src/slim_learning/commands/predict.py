"""`slim predict`."""

import click


@click.command()
@click.option("--logdir", required=True, help="The run's folder.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="Classes shown.")
@click.option("--averaged", is_flag=True, help="Take the moving averages of the weights.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
def predict(logdir: str, top: int, averaged: bool, images: tuple[str, ...]) -> None:
    """Classify pictures with the newest checkpoint of a run."""
    import numpy as np

    from slim_learning.inference import Inference
    from slim_learning.run import run_record as record
    from slim_learning.tasks import recorded_task

    task = recorded_task(record.read(logdir), logdir)
    model, _ = task.restored_model(logdir, averaged)
    inference = Inference(task, model)
    labels = [label.decode() for label in inference.labels.numpy()]
    for path in images:
        probabilities = inference.classify_file(path)["probabilities"][0].numpy()
        best = np.argsort(-probabilities)[:top]
        shown = "  ".join(f"{labels[i]} {probabilities[i]:.1%}" for i in best)
        click.echo(f"{path}: {shown}")
