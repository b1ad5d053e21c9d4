# Written by tools/stubs.py.
from slim_metrics.accuracy import accuracy as accuracy
from slim_metrics.accuracy import streaming_accuracy as streaming_accuracy
from slim_metrics.aggregation import *
from slim_metrics.confusion import streaming_confusion_matrix as streaming_confusion_matrix
from slim_metrics.mean import count as count
from slim_metrics.mean import streaming_mean as streaming_mean
from slim_metrics.mean import streaming_mean_tensor as streaming_mean_tensor
from slim_metrics.mean import streaming_percentage_less as streaming_percentage_less
