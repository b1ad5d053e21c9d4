"""What slim-metrics offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

_METRICS = [
    "accuracy",
    "auc_using_histogram",
    "auc_with_confidence_intervals",
    "cohen_kappa",
    "count",
    "f1_score",
    "precision_at_recall",
    "precision_recall_at_equal_thresholds",
    "recall_at_precision",
    "sparse_recall_at_top_k",
    "streaming_accuracy",
    "streaming_auc",
    "streaming_concat",
    "streaming_confusion_matrix",
    "streaming_covariance",
    "streaming_curve_points",
    "streaming_dynamic_auc",
    "streaming_expected_calibration_error",
    "streaming_f1_score",
    "streaming_false_negative_rate",
    "streaming_false_negative_rate_at_thresholds",
    "streaming_false_negatives",
    "streaming_false_negatives_at_thresholds",
    "streaming_false_positive_rate",
    "streaming_false_positive_rate_at_thresholds",
    "streaming_false_positives",
    "streaming_false_positives_at_thresholds",
    "streaming_mean",
    "streaming_mean_absolute_error",
    "streaming_mean_cosine_distance",
    "streaming_mean_iou",
    "streaming_mean_relative_error",
    "streaming_mean_squared_error",
    "streaming_mean_tensor",
    "streaming_pearson_correlation",
    "streaming_percentage_less",
    "streaming_precision",
    "streaming_precision_at_thresholds",
    "streaming_recall",
    "streaming_recall_at_k",
    "streaming_recall_at_thresholds",
    "streaming_root_mean_squared_error",
    "streaming_sensitivity_at_specificity",
    "streaming_sparse_average_precision_at_k",
    "streaming_sparse_average_precision_at_top_k",
    "streaming_sparse_precision_at_k",
    "streaming_sparse_precision_at_top_k",
    "streaming_sparse_recall_at_k",
    "streaming_specificity_at_sensitivity",
    "streaming_top_k_accuracy",
    "streaming_true_negatives",
    "streaming_true_negatives_at_thresholds",
    "streaming_true_positives",
    "streaming_true_positives_at_thresholds",
]
# Names of TF-Slim's first documentation, and today's.
_FORMER_NAMES = {
    "percentage_less": "streaming_percentage_less",
    "precision": "streaming_precision",
    "recall": "streaming_recall",
}


@hookimpl
def slim_metrics() -> dict[str, str]:
    names = {name: name for name in _METRICS} | _FORMER_NAMES
    return {offered: f"slim_metrics:{name}" for offered, name in names.items()}


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {"metrics": "slim_metrics.aggregation"}
