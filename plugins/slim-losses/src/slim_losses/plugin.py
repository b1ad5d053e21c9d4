"""What slim-losses offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl


@hookimpl
def slim_losses():
    return {
        "compute_weighted_loss": "slim_losses.weighting:compute_weighted_loss",
        "softmax_cross_entropy": "slim_losses.classification:softmax_cross_entropy",
        "sparse_softmax_cross_entropy": "slim_losses.classification:sparse_softmax_cross_entropy",
    }


@hookimpl
def slim_namespaces():
    return {"losses": "slim_losses.collection"}
