from . import aggregation as aggregation
from ._accuracy import accuracy as accuracy
from ._accuracy import streaming_accuracy as streaming_accuracy
from ._calibration import (
    streaming_expected_calibration_error as streaming_expected_calibration_error,
)
from ._classes import cohen_kappa as cohen_kappa
from ._classes import streaming_f1_score as streaming_f1_score
from ._classes import streaming_mean_iou as streaming_mean_iou
from ._confusion_counts import streaming_false_negative_rate as streaming_false_negative_rate
from ._confusion_counts import streaming_false_negatives as streaming_false_negatives
from ._confusion_counts import streaming_false_positive_rate as streaming_false_positive_rate
from ._confusion_counts import streaming_false_positives as streaming_false_positives
from ._confusion_counts import streaming_precision as streaming_precision
from ._confusion_counts import streaming_recall as streaming_recall
from ._confusion_counts import streaming_true_negatives as streaming_true_negatives
from ._confusion_counts import streaming_true_positives as streaming_true_positives
from ._confusion_matrix import streaming_confusion_matrix as streaming_confusion_matrix
from ._correlation import streaming_covariance as streaming_covariance
from ._correlation import streaming_pearson_correlation as streaming_pearson_correlation
from ._curves import auc_using_histogram as auc_using_histogram
from ._curves import precision_recall_at_equal_thresholds as precision_recall_at_equal_thresholds
from ._curves import streaming_auc as streaming_auc
from ._curves import streaming_curve_points as streaming_curve_points
from ._exact_auc import auc_with_confidence_intervals as auc_with_confidence_intervals
from ._exact_auc import streaming_dynamic_auc as streaming_dynamic_auc
from ._mean import count as count
from ._mean import streaming_mean as streaming_mean
from ._mean import streaming_mean_tensor as streaming_mean_tensor
from ._mean import streaming_percentage_less as streaming_percentage_less
from ._operating_points import f1_score as f1_score
from ._operating_points import precision_at_recall as precision_at_recall
from ._operating_points import recall_at_precision as recall_at_precision
from ._operating_points import (
    streaming_sensitivity_at_specificity as streaming_sensitivity_at_specificity,
)
from ._operating_points import (
    streaming_specificity_at_sensitivity as streaming_specificity_at_sensitivity,
)
from ._ranking import sparse_recall_at_top_k as sparse_recall_at_top_k
from ._ranking import streaming_recall_at_k as streaming_recall_at_k
from ._ranking import (
    streaming_sparse_average_precision_at_k as streaming_sparse_average_precision_at_k,
)
from ._ranking import (
    streaming_sparse_average_precision_at_top_k as streaming_sparse_average_precision_at_top_k,
)
from ._ranking import streaming_sparse_precision_at_k as streaming_sparse_precision_at_k
from ._ranking import streaming_sparse_precision_at_top_k as streaming_sparse_precision_at_top_k
from ._ranking import streaming_sparse_recall_at_k as streaming_sparse_recall_at_k
from ._ranking import streaming_top_k_accuracy as streaming_top_k_accuracy
from ._regression import streaming_mean_absolute_error as streaming_mean_absolute_error
from ._regression import streaming_mean_cosine_distance as streaming_mean_cosine_distance
from ._regression import streaming_mean_relative_error as streaming_mean_relative_error
from ._regression import streaming_mean_squared_error as streaming_mean_squared_error
from ._regression import streaming_root_mean_squared_error as streaming_root_mean_squared_error
from ._state import metric as metric
from ._streaming_concat import streaming_concat as streaming_concat
from ._thresholds import (
    streaming_false_negative_rate_at_thresholds as streaming_false_negative_rate_at_thresholds,
)
from ._thresholds import (
    streaming_false_negatives_at_thresholds as streaming_false_negatives_at_thresholds,
)
from ._thresholds import (
    streaming_false_positive_rate_at_thresholds as streaming_false_positive_rate_at_thresholds,
)
from ._thresholds import (
    streaming_false_positives_at_thresholds as streaming_false_positives_at_thresholds,
)
from ._thresholds import streaming_precision_at_thresholds as streaming_precision_at_thresholds
from ._thresholds import streaming_recall_at_thresholds as streaming_recall_at_thresholds
from ._thresholds import (
    streaming_true_negatives_at_thresholds as streaming_true_negatives_at_thresholds,
)
from ._thresholds import (
    streaming_true_positives_at_thresholds as streaming_true_positives_at_thresholds,
)
from .aggregation import aggregate_metric_map as aggregate_metric_map
from .aggregation import aggregate_metrics as aggregate_metrics
from .aggregation import current_values as current_values
