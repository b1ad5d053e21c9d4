"""What slim-losses offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl


@hookimpl
def slim_losses():
    return {
        "absolute_difference": "slim_losses._regression:absolute_difference",
        "cluster_loss": "slim_losses._clustering:cluster_loss",
        "compute_weighted_loss": "slim_losses._weighting:compute_weighted_loss",
        "contrastive_loss": "slim_losses.metric_learning:contrastive_loss",
        "cosine_distance": "slim_losses._regression:cosine_distance",
        "dice_loss": "slim_losses._segmentation:dice_loss",
        "focal_loss": "slim_losses._classification:focal_loss",
        "hinge_loss": "slim_losses._classification:hinge_loss",
        "huber_loss": "slim_losses._regression:huber_loss",
        "lifted_struct_loss": "slim_losses.metric_learning:lifted_struct_loss",
        "log_loss": "slim_losses._classification:log_loss",
        "mean_pairwise_squared_error": "slim_losses._regression:mean_pairwise_squared_error",
        "mean_squared_error": "slim_losses._regression:mean_squared_error",
        "npairs_loss": "slim_losses.metric_learning:npairs_loss",
        "npairs_loss_multilabel": "slim_losses.metric_learning:npairs_loss_multilabel",
        "sigmoid_cross_entropy": "slim_losses._classification:sigmoid_cross_entropy",
        "softmax_cross_entropy": "slim_losses._classification:softmax_cross_entropy",
        "sparse_softmax_cross_entropy": "slim_losses._classification:sparse_softmax_cross_entropy",
        "sum_of_squares": "slim_losses._regression:sum_of_squares",
        "triplet_semihard_loss": "slim_losses.metric_learning:triplet_semihard_loss",
    }


@hookimpl
def slim_namespaces():
    return {
        "losses": "slim_losses.collection",
        "losses.metric_learning": "slim_losses.metric_learning",
    }
