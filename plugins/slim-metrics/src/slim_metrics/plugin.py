"""What slim-metrics offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

_METRICS = {
    "_accuracy": "accuracy streaming_accuracy",
    "_calibration": "streaming_expected_calibration_error",
    "_classes": "cohen_kappa streaming_f1_score streaming_mean_iou",
    "_streaming_concat": "streaming_concat",
    "_confusion_matrix": "streaming_confusion_matrix",
    "_correlation": "streaming_covariance streaming_pearson_correlation",
    "_confusion_counts": """
        streaming_false_negative_rate streaming_false_negatives streaming_false_positive_rate
        streaming_false_positives streaming_precision streaming_recall streaming_true_negatives
        streaming_true_positives
    """,
    "_curves": """
        auc_using_histogram precision_recall_at_equal_thresholds streaming_auc
        streaming_curve_points
    """,
    "_exact_auc": "auc_with_confidence_intervals streaming_dynamic_auc",
    "_mean": "count streaming_mean streaming_mean_tensor streaming_percentage_less",
    "_operating_points": """
        f1_score precision_at_recall recall_at_precision streaming_sensitivity_at_specificity
        streaming_specificity_at_sensitivity
    """,
    "_ranking": """
        sparse_recall_at_top_k streaming_recall_at_k streaming_sparse_average_precision_at_k
        streaming_sparse_average_precision_at_top_k streaming_sparse_precision_at_k
        streaming_sparse_precision_at_top_k streaming_sparse_recall_at_k streaming_top_k_accuracy
    """,
    "_regression": """
        streaming_mean_absolute_error streaming_mean_cosine_distance streaming_mean_relative_error
        streaming_mean_squared_error streaming_root_mean_squared_error
    """,
    "_thresholds": """
        streaming_false_negative_rate_at_thresholds streaming_false_negatives_at_thresholds
        streaming_false_positive_rate_at_thresholds streaming_false_positives_at_thresholds
        streaming_precision_at_thresholds streaming_recall_at_thresholds
        streaming_true_negatives_at_thresholds streaming_true_positives_at_thresholds
    """,
}
# Names of TF-Slim's first documentation.
_FORMER_NAMES = {
    "percentage_less": "slim_metrics._mean:streaming_percentage_less",
    "precision": "slim_metrics._confusion_counts:streaming_precision",
    "recall": "slim_metrics._confusion_counts:streaming_recall",
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
