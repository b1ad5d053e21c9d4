"""What slim-nets offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_nets() -> dict[str, Offer]:
    return {
        "lenet": Offer(
            "slim_nets.lenet:lenet",
            "LeNet with rectified linear units, for 28x28 digits.",
            {
                "parameters": 3_274_634,
                "multiply_adds": 14_000_000,
                "image_size": 28,
                "preprocessing": "lenet",
                "paper": "LeCun et al., 1998",
            },
        )
    }


@hookimpl
def slim_namespaces() -> dict[str, str]:
    return {"nets": "slim_nets.factory"}
