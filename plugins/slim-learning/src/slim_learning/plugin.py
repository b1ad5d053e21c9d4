"""What slim-learning offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {
        "evaluation": "slim_learning.evaluation",
        "learning": "slim_learning.learning",
        "learning.diagnosis": "slim_learning.commands.run_doctor",
        "model_analyzer": "slim_learning.model_analyzer",
        "queues": "slim_learning.queues",
        "training": "slim_learning.training",
        "training.evaluation": "slim_learning.evaluate.hooked_evaluation",
        "training.training": "slim_learning.training",
    }


@hookimpl
def slim_commands() -> dict[str, Offer]:
    return {
        "train": Offer("slim_learning.commands.train:train", "Train a network on a dataset."),
        "eval": Offer("slim_learning.commands.evaluate:evaluate", "Evaluate a trained network."),
        "predict": Offer("slim_learning.commands.predict:predict", "Predict from image files."),
        "export": Offer("slim_learning.commands.export:export", "Write a SavedModel."),
    }
