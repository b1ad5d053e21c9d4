"""What slim-metrics offers. Read on discovery: names and places, nothing heavy."""

from slimcore import hookimpl

_METRICS = {
    "accuracy": "accuracy streaming_accuracy",
    "confusion": "streaming_confusion_matrix",
    "mean": "count streaming_mean streaming_mean_tensor streaming_percentage_less",
}


@hookimpl
def slim_metrics() -> dict[str, str]:
    return {
        name: f"slim_metrics.{module}:{name}"
        for module, names in _METRICS.items()
        for name in names.split()
    }


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {"metrics": "slim_metrics.aggregation"}
