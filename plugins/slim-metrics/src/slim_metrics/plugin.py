"""What slim-metrics offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

_METRICS = {
    "accuracy": "accuracy streaming_accuracy",
    "calibration": "streaming_expected_calibration_error",
    "classes": "cohen_kappa streaming_f1_score streaming_mean_iou",
    "concat": "streaming_concat",
    "confusion": "streaming_confusion_matrix",
    "correlation": "streaming_covariance streaming_pearson_correlation",
    "counts": """
        streaming_false_negative_rate streaming_false_negatives streaming_false_positive_rate
        streaming_false_positives streaming_precision streaming_recall streaming_true_negatives
        streaming_true_positives
    """,
    "curves": """
        auc_using_histogram precision_recall_at_equal_thresholds streaming_auc
        streaming_curve_points
    """,
    "exact_auc": "auc_with_confidence_intervals streaming_dynamic_auc",
    "mean": "count streaming_mean streaming_mean_tensor streaming_percentage_less",
    "operating_points": """
        f1_score precision_at_recall recall_at_precision streaming_sensitivity_at_specificity
        streaming_specificity_at_sensitivity
    """,
    "ranking": """
        sparse_recall_at_top_k streaming_recall_at_k streaming_sparse_average_precision_at_k
        streaming_sparse_average_precision_at_top_k streaming_sparse_precision_at_k
        streaming_sparse_precision_at_top_k streaming_sparse_recall_at_k streaming_top_k_accuracy
    """,
    "regression": """
        streaming_mean_absolute_error streaming_mean_cosine_distance streaming_mean_relative_error
        streaming_mean_squared_error streaming_root_mean_squared_error
    """,
    "thresholds": """
        streaming_false_negative_rate_at_thresholds streaming_false_negatives_at_thresholds
        streaming_false_positive_rate_at_thresholds streaming_false_positives_at_thresholds
        streaming_precision_at_thresholds streaming_recall_at_thresholds
        streaming_true_negatives_at_thresholds streaming_true_positives_at_thresholds
    """,
}
# Names of TF-Slim's first documentation.
_FORMER_NAMES = {
    "percentage_less": "slim_metrics.mean:streaming_percentage_less",
    "precision": "slim_metrics.counts:streaming_precision",
    "recall": "slim_metrics.counts:streaming_recall",
}


@hookimpl
def slim_metrics() -> dict[str, str]:
    offers = {
        name: f"slim_metrics.{module}:{name}"
        for module, names in _METRICS.items()
        for name in names.split()
    }
    return offers | _FORMER_NAMES


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {"metrics": "slim_metrics.aggregation"}
