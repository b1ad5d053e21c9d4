"""What acme-regression offers."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_tasks() -> dict[str, Offer]:
    return {"number": Offer("acme_regression.number:Number", "a number of an image: squared error")}
