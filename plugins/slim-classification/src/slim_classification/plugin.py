"""What slim-classification offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_tasks() -> dict[str, Offer]:
    return {
        "classification": Offer(
            "slim_classification:Classification", "one label an image: accuracy, confusion matrix"
        ),
        "multilabel": Offer(
            "slim_classification:Multilabel", "several labels an image: average precision, F1"
        ),
    }
