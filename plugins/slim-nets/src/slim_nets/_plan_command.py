"""`slim plan`."""

import click

import slimcore.registry as registry


@click.command()
@click.argument("checkpoint")
@click.option("--net", required=True, help="Network to compare the checkpoint with.")
@click.option("--num-classes", default=1000, show_default=True, help="Classes of the network.")
@click.option("--image-size", type=int, help="Height and width; the network's own by default.")
@click.option("--channels", default=3, show_default=True, help="Channels of the images.")
@click.option("--include", multiple=True, metavar="SCOPE", help="Restore only this scope.")
@click.option("--exclude", multiple=True, metavar="SCOPE", help="Restore all but this scope.")
@click.option(
    "--rename",
    multiple=True,
    metavar="HERE=THERE",
    help="Scope in the network, and its name in the checkpoint.",
)
def plan(
    checkpoint: str,
    net: str,
    num_classes: int,
    image_size: int | None,
    channels: int,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    rename: tuple[str, ...],
) -> None:
    """Show which variables of a network CHECKPOINT would restore, and what does not fit.

    Nothing is loaded. A variable is matched, renamed, excluded, missing, of another shape, or
    unused.
    """
    pairs = [pair.partition("=") for pair in rename]
    for here, equals, there in pairs:
        if not (here and equals and there):
            raise click.BadParameter("write HERE=THERE, two scopes", param_hint="--rename")
    registry.component("net", net)  # before TensorFlow is imported, for a quick answer
    import tensorflow as tf

    import slimcore.checkpoints as checkpoints
    from slim_nets.factory import get_network_fn
    from slimcore.errors import InputError

    network = get_network_fn(net, num_classes)
    size = image_size or getattr(network, "default_image_size", None)
    if size is None:
        raise InputError(f"{net} does not say how large its images are; pass --image-size")
    with tf.Graph().as_default():
        network(tf.compat.v1.placeholder(tf.float32, [1, size, size, channels]))
        variables = {v.op.name: v for v in tf.compat.v1.global_variables()}
    report = checkpoints.plan(
        checkpoint,
        variables,
        include=include or None,
        exclude=exclude,
        rename={here: there for here, _, there in pairs} or None,
        strict=False,
    )
    click.echo(str(report))
