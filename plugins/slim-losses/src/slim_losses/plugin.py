"""What slim-losses offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

_LOSSES = [
    "absolute_difference",
    "cluster_loss",
    "compute_weighted_loss",
    "contrastive_loss",
    "cosine_distance",
    "dice_loss",
    "focal_loss",
    "hinge_loss",
    "huber_loss",
    "lifted_struct_loss",
    "log_loss",
    "mean_pairwise_squared_error",
    "mean_squared_error",
    "npairs_loss",
    "npairs_loss_multilabel",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sparse_softmax_cross_entropy",
    "sum_of_squares",
    "triplet_semihard_loss",
]


@hookimpl
def slim_losses() -> dict[str, str]:
    return {name: f"slim_losses:{name}" for name in _LOSSES}


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {
        "losses": "slim_losses.collection",
        "losses.metric_learning": "slim_losses.metric_learning",
    }
